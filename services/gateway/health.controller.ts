import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { PretrainingBackend } from './backend.js';

const health = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(private readonly backend: PretrainingBackend) {}

  @Get('healthz')
  @ApiOperation({ operationId: 'healthz', summary: 'Whether the gateway itself lives' })
  @ApiResponse({ status: 200, standardSchema: health })
  alive(): z.output<typeof health> {
    return { status: 'ok' };
  }

  @Get('readyz')
  @ApiOperation({ operationId: 'readyz', summary: 'Whether the services behind the gateway answer too' })
  @ApiResponse({ status: 200, standardSchema: health })
  async ready(): Promise<z.output<typeof health>> {
    await this.backend.check();
    return { status: 'ok' };
  }
}
