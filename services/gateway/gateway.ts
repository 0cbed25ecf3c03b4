import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { isLoopback, type Logger, projectPath, ResimError } from '#libs/core';
import type { GatewayConfig } from './config.js';
import { GatewayModule } from './gateway.module.js';
import { contentPolicy, ownNamesOnly, sameOriginOnly } from './guards.js';
import { serveOpenApi } from './openapi.js';
import { ProblemFilter } from './problem.filter.js';
import { SchemaPipe } from './schema.pipe.js';

/** The gateway, ready to listen. */
export async function createGateway(config: GatewayConfig, logger: Logger): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(GatewayModule.with(config), {
    // What fails at start is thrown, what fails later goes through the filter: Nest would print stack traces besides.
    logger: false,
    bodyParser: false,
    abortOnError: false,
    // Connections that a browser keeps open would hold the shutdown up.
    forceCloseConnections: true,
  });
  app.disable('x-powered-by');
  app.use(contentPolicy);
  app.use(ownNamesOnly(listensToThisMachineAlone(config)));
  app.use(sameOriginOnly);
  // JSON alone: a form of a foreign page is no request.
  app.useBodyParser('json');
  app.useGlobalPipes(new SchemaPipe());
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useStaticAssets(projectPath('web'));
  serveOpenApi(app);
  return app;
}

/** Whether nobody but this machine can reach the gateway; there is no other protection. */
export function listensToThisMachineAlone({ host, port }: GatewayConfig): boolean {
  return isLoopback(`${host === '::1' ? '[::1]' : host}:${port}`);
}

/**
 * Listens where the configuration says.
 *
 * @returns the URL of the gateway
 * @throws ResimError `FAILED_PRECONDITION` when the address cannot be taken
 */
export async function listen(app: NestExpressApplication, { host, port }: GatewayConfig): Promise<string> {
  try {
    await app.listen(port, host);
  } catch (error) {
    throw notListening(error, host, port);
  }
  const address = app.getHttpServer().address() as { port: number };
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

function notListening(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const because = {
    EADDRINUSE: 'another program listens there already',
    EACCES: 'this user may not use that port',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'this machine has no such address',
  }[String(code)];
  if (because === undefined) return error;
  return new ResimError(
    'FAILED_PRECONDITION',
    `the gateway cannot listen at ${host}:${port}: ${because}; choose another with RESIM_GATEWAY_PORT (and RESIM_GATEWAY_HOST)`,
    { reason: 'PORT_IN_USE', cause: error },
  );
}
