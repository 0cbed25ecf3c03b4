import { type DynamicModule, Module } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { Notifications, RunQueue } from '#libs/runs';
import { PRETRAINING_CONFIG, type PretrainingConfig } from './config.js';
import { PretrainingController } from './pretraining.controller.js';
import { SHUTDOWN } from './shutdown.js';

export interface PretrainingParts {
  config: PretrainingConfig;
  source: DataSource;
  notifications: Notifications;
  queue: RunQueue;
  /** Fires when the service begins to stop. */
  shutdown: AbortSignal;
}

@Module({})
export class PretrainingModule {
  /** @param parts made by whoever starts the service, because they outlive the server on the way down */
  static with(parts: PretrainingParts): DynamicModule {
    return {
      module: PretrainingModule,
      controllers: [PretrainingController],
      providers: [
        { provide: PRETRAINING_CONFIG, useValue: parts.config },
        { provide: Notifications, useValue: parts.notifications },
        { provide: RunQueue, useValue: parts.queue },
        { provide: SHUTDOWN, useValue: parts.shutdown },
      ],
    };
  }
}
