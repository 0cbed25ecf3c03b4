import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { connect, contracts, type pretraining, type RpcClient } from '#libs/rpc';
import { GATEWAY_CONFIG, type GatewayConfig } from './config.js';

const CHECK_TIMEOUT_MS = 5_000;

/** The connection to the pre-training service. It is made when it is first needed and again whenever it was lost. */
@Injectable()
export class PretrainingBackend implements OnApplicationShutdown {
  readonly client: RpcClient<pretraining.PretrainingServiceController>;

  constructor(@Inject(GATEWAY_CONFIG) config: GatewayConfig) {
    this.client = connect(contracts.pretraining, config.pretrainingAddress);
  }

  /**
   * Asks for something that needs the service and its database.
   *
   * @throws ResimError when either does not answer
   */
  async check(): Promise<void> {
    await this.client.listRuns({ pageSize: 1 }, { timeout: CHECK_TIMEOUT_MS });
  }

  onApplicationShutdown(): void {
    this.client.close();
  }
}
