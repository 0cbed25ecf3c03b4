import { homedir } from 'node:os';
import { delimiter, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { addressSetting, projectPath, projectRoot, readConfig } from '#libs/core';

const environment = z.object({
  DATABASE_URL: z
    .string()
    .default('')
    .refine((url) => url !== '', {
      error: 'the address of a PostgreSQL database: postgres://user:password@host:5432/name',
    }),
  RESIM_PRETRAINING_ADDRESS: addressSetting.default('127.0.0.1:50051'),
  RESIM_RUNS_DIR: z.string().default(projectPath('.resim', 'runs')),
  RESIM_DATA_ROOTS: z
    .string()
    .default([homedir(), projectRoot].join(delimiter))
    .transform((roots) => roots.split(delimiter).filter((root) => root !== ''))
    .refine((roots) => roots.every((root) => isAbsolute(root)), {
      error: `absolute folders with ${delimiter} between them`,
    }),
});

export interface PretrainingConfig {
  databaseUrl: string;
  /** host:port that the service listens at. */
  address: string;
  /** Folder with a folder for each run, absolute. */
  runsDirectory: string;
  /** Folders that data may come from, absolute. */
  dataRoots: string[];
}

/** @throws ResimError `INVALID_ARGUMENT` naming every variable that is wrong */
export function pretrainingConfig(env: NodeJS.ProcessEnv = process.env): PretrainingConfig {
  const values = readConfig(environment, env);
  return {
    databaseUrl: values.DATABASE_URL,
    address: values.RESIM_PRETRAINING_ADDRESS,
    runsDirectory: resolve(values.RESIM_RUNS_DIR),
    dataRoots: values.RESIM_DATA_ROOTS,
  };
}

/** Token of the configuration for dependency injection. */
export const PRETRAINING_CONFIG = Symbol('PRETRAINING_CONFIG');
