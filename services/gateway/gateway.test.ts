import 'reflect-metadata';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Validator } from '@seriousme/openapi-schema-validator';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import request from 'supertest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger, projectPath, ResimError } from '#libs/core';
import { fromProblem, problem } from '#libs/rest';
import { gatewayConfig } from './config.js';
import { createGateway, listen } from './gateway.js';

/** A gateway whose pre-training service is not there: port 1 is nobody's. */
const config = { ...gatewayConfig({}), port: 0, pretrainingAddress: '127.0.0.1:1' };
let app: NestExpressApplication;
let url: string;

beforeAll(async () => {
  app = await createGateway(config, createLogger('gateway'));
  url = await listen(app, config);
});
afterAll(() => app.close());

/** Every failure has one shape, which is checked here for all of them. */
async function refusal(call: request.Test, status: number): Promise<ResimError> {
  const response = await call;
  expect(response.status).toBe(status);
  expect(response.type).toBe('application/problem+json');
  expect(problem.parse(response.body).status).toBe(status);
  expect(response.text).not.toMatch(/\bat .+:\d+:\d+/);
  return fromProblem(status, response.body);
}

const good = { recipe: 'resim-fpn', images: '/data/images' };

test('the OpenAPI document is valid and names every route', async () => {
  const { body } = await request(url).get('/v1/openapi.json').expect(200);
  expect(await new Validator().validate(structuredClone(body))).toMatchObject({ valid: true });
  expect(Object.keys(body.paths).sort()).toEqual(
    [
      '/healthz',
      '/readyz',
      '/v1/recipes',
      '/v1/recipes/{name}',
      '/v1/runs',
      '/v1/runs/{id}',
      '/v1/runs/{id}/checkpoints',
      '/v1/runs/{id}/events',
      '/v1/runs/{id}/metrics',
      '/v1/runs/{id}:cancel',
      '/v1/runs/{id}:resume',
    ].sort(),
  );
  expect(body.paths['/v1/runs'].post.requestBody.content['application/json'].schema).toEqual({
    $ref: '#/components/schemas/CreateRun',
  });
});

test('every reference inside the OpenAPI document leads to a schema', async () => {
  const { body, text } = await request(url).get('/v1/openapi.json');
  const names = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target!);
  expect(names.length).toBeGreaterThan(10);
  const schemas = Object.keys(body.components.schemas).map((name) => `#/components/schemas/${name}`);
  expect(names.filter((name) => !schemas.includes(name))).toEqual([]);
});

test('the documentation page and the start page load nothing from another host', async () => {
  for (const path of ['/v1/docs', '/v1/docs/swagger-ui-init.js', '/', '/main.js', '/style.css']) {
    const { text, headers } = await request(url).get(path).expect(200);
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(text ?? '').not.toMatch(/(src|href|from|import|url)\s*[=(:]?\s*["'(]+(https?:)?\/\//);
  }
});

test('the gateway lives while the service behind it does not, but is not ready', async () => {
  await request(url).get('/healthz').expect(200, { status: 'ok' });
  const error = await refusal(request(url).get('/readyz'), 503);
  expect(error.code).toBe('UNAVAILABLE');
  expect(error.message).toContain('127.0.0.1:1');
});

test.each(['/v1/runs', '/v1/runs/some-id', '/v1/runs/some-id/metrics', '/v1/runs/some-id/events'])(
  'GET %s says that the service is not reachable',
  async (path) => {
    const error = await refusal(request(url).get(path), 503);
    expect(error.reason).toBe('SERVICE_UNREACHABLE');
  },
);

test.each(['cancel', 'resume'])('the verb :%s reaches the service', async (verb) => {
  const error = await refusal(request(url).post(`/v1/runs/some-id:${verb}`), 503);
  expect(error.reason).toBe('SERVICE_UNREACHABLE');
});

test.each([
  ['GET', '/v1/nothing'],
  ['POST', '/v1/runs/some-id:explode'],
  ['DELETE', '/v1/runs/some-id'],
  ['GET', '/../package.json'],
  ['GET', '/%2e%2e/package.json'],
])('%s %s is a problem, not a page', async (method, path) => {
  const error = await refusal(request(url)[method.toLowerCase() as 'get'](path), 404);
  expect(error.reason).toBe('NO_SUCH_ROUTE');
});

test('malformed JSON, another media type, a body that is too long and a broken path are refused', async () => {
  const post = () => request(url).post('/v1/runs');
  await refusal(post().type('json').send('{"recipe":'), 400);
  const form = await refusal(post().type('form').send({ recipe: 'resim-fpn' }), 400);
  expect(form.message).toContain('application/json');
  await refusal(post().send({ ...good, recipeYaml: 'x'.repeat(200_000) }), 413);
  await refusal(request(url).get('/v1/runs/%ZZ'), 400);
});

test('a body is refused with every field that is wrong', async () => {
  const error = await refusal(
    request(url)
      .post('/v1/runs')
      .send({ recipe: 'resim-fpn', overrides: 'optim.lr=1', nmae: 'x', validateOnly: 'yes' }),
    400,
  );
  expect(error.violations.map(({ field }) => field).sort()).toEqual([
    'images',
    'nmae',
    'overrides',
    'validateOnly',
  ]);
});

test.each([{ images: '/data' }, { images: '/data', recipe: 'resim-fpn', recipeYaml: 'name: x' }])(
  'exactly one of recipe and recipeYaml is needed: %j',
  async (body) => {
    const error = await refusal(request(url).post('/v1/runs').send(body), 400);
    expect(error.violations.map(({ field }) => field)).toEqual(['recipe']);
  },
);

test('wrong query parameters are refused with their names', async () => {
  for (const [path, field] of [
    ['/v1/runs?pageSize=many', 'pageSize'],
    ['/v1/runs?pageSize=-1', 'pageSize'],
    ['/v1/runs?state=ASLEEP', 'state'],
    ['/v1/runs?pagesize=1', 'pagesize'],
    ['/v1/runs/some-id/metrics?afterStep=1.5', 'afterStep'],
    ['/v1/runs/some-id/events?afterSequence=x', 'afterSequence'],
  ] as const) {
    const error = await refusal(request(url).get(path), 400);
    expect(error.violations.map((violation) => violation.field)).toEqual([field]);
  }
});

test('an idempotency key must be a UUID and agree with requestId', async () => {
  const post = (key: string, body: object) =>
    refusal(request(url).post('/v1/runs').set('Idempotency-Key', key).send(body), 400);
  expect((await post('again', good)).violations[0]?.field).toBe('Idempotency-Key');
  const other = { ...good, requestId: '0198a5d6-5b1c-7c3e-8f00-000000000001' };
  expect((await post('0198a5d6-5b1c-7c3e-8f00-000000000002', other)).violations[0]?.field).toBe('requestId');
});

test('an event id that is no sequence number is refused', async () => {
  const call = request(url).get('/v1/runs/some-id/events').set('Last-Event-ID', '-3');
  expect((await refusal(call, 400)).violations[0]?.field).toBe('Last-Event-ID');
});

test('a page of another origin may change nothing', async () => {
  const cancel = (origin: string) => request(url).post('/v1/runs/some-id:cancel').set('Origin', origin);
  await refusal(cancel('http://elsewhere.example'), 403);
  await refusal(cancel('null'), 403);
  await refusal(cancel(url), 503);
});

test('a name that leads to this machine by deceit is not answered to', async () => {
  const get = (host: string) => request(url).get('/healthz').set('Host', host);
  await refusal(get('rebound.example:8080'), 403);
  await get('localhost:8080').expect(200);
  await get('[::1]:8080').expect(200);
});

test('a recipe of the suite is shown, one that is not there is named, a path is no name', async () => {
  const { body } = await request(url).get('/v1/recipes').expect(200);
  for (const { name } of body.recipes as { name: string }[]) {
    const shown = await request(url).get(`/v1/recipes/${name}`).expect(200);
    expect(shown.body.yaml).toBe(readFileSync(projectPath('recipes', `${name}.yaml`), 'utf8'));
  }
  expect((await refusal(request(url).get('/v1/recipes/resim-typo'), 404)).message).toContain('resim-typo');
  await refusal(request(url).get('/v1/recipes/..%2Fpackage'), 400);
});

test('a port in use is one sentence with the port and the setting', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const second = await createGateway(config, createLogger('gateway'));
  try {
    const error = await listen(second, { ...config, port }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ResimError);
    expect((error as ResimError).message).toContain(`127.0.0.1:${port}`);
    expect((error as ResimError).message).toContain('RESIM_GATEWAY_PORT');
  } finally {
    await second.close();
    other.close();
  }
});

test('a wrong setting is refused with its name', () => {
  expect(() => gatewayConfig({ RESIM_GATEWAY_PORT: 'http' })).toThrow(/RESIM_GATEWAY_PORT/);
  expect(() => gatewayConfig({ RESIM_PRETRAINING_ADDRESS: 'somewhere' })).toThrow(
    /RESIM_PRETRAINING_ADDRESS/,
  );
});
