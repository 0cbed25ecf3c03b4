import { addressSetting, readConfig } from '#libs/core';
import { z } from 'zod';

const environment = z.object({
  RESIM_GATEWAY_HOST: z.string().min(1).default('127.0.0.1'),
  RESIM_GATEWAY_PORT: z.coerce.number().int().min(0).max(65535).default(8080),
  RESIM_PRETRAINING_ADDRESS: addressSetting.default('127.0.0.1:50051'),
});

export interface GatewayConfig {
  /** Address that the gateway listens at. */
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** `host:port` of the pre-training service. */
  pretrainingAddress: string;
  /** Milliseconds between the heartbeats of a silent event stream. */
  heartbeat: number;
}

/** @throws ResimError `INVALID_ARGUMENT` naming the variable, its value and what would be right */
export function gatewayConfig(env: NodeJS.ProcessEnv): GatewayConfig {
  const values = readConfig(environment, env);
  return {
    host: values.RESIM_GATEWAY_HOST,
    port: values.RESIM_GATEWAY_PORT,
    pretrainingAddress: values.RESIM_PRETRAINING_ADDRESS,
    heartbeat: 15_000,
  };
}

/** Token of the configuration for dependency injection. */
export const GATEWAY_CONFIG = Symbol('GATEWAY_CONFIG');
