import { type DynamicModule, Module } from '@nestjs/common';
import { PretrainingBackend } from './backend.js';
import { GATEWAY_CONFIG, type GatewayConfig } from './config.js';
import { EventsController } from './events.controller.js';
import { HealthController } from './health.controller.js';
import { RecipesController } from './recipes.controller.js';
import { RunsController } from './runs.controller.js';
import { EventStreams } from './streams.js';

@Module({})
export class GatewayModule {
  static with(config: GatewayConfig): DynamicModule {
    return {
      module: GatewayModule,
      controllers: [RunsController, EventsController, RecipesController, HealthController],
      providers: [{ provide: GATEWAY_CONFIG, useValue: config }, PretrainingBackend, EventStreams],
    };
  }
}
