import { type Command, Option } from 'commander';
import { DEFAULT_GATEWAY_URL, GatewayClient } from '#libs/rest';

export interface GatewayOptions {
  gateway: string;
  json?: boolean;
}

/** The options that every command has that talks to the gateway. */
export function withGateway(command: Command): Command {
  return command
    .addOption(
      new Option('--gateway <url>', 'where the gateway listens')
        .env('RESIM_GATEWAY_URL')
        .default(DEFAULT_GATEWAY_URL),
    )
    .option('--json', 'print one JSON document on stdout, and errors as JSON on stderr');
}

/** @throws ResimError `INVALID_ARGUMENT` when the address is no URL */
export function clientOf(options: GatewayOptions): GatewayClient {
  return new GatewayClient(options.gateway);
}

/** Whether the gateway runs on this machine, so that its paths are ours. */
export function isLocal(client: GatewayClient): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(client.url).hostname);
}

export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
