import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { problem, runEvent } from '#libs/rest';
import { z } from 'zod';

/** JSON Schema 2020-12, which is what OpenAPI 3.1 speaks; schemas with an id become components. */
function convert(schema: unknown, options: { schemaType: 'input' | 'output' }) {
  if (!(schema instanceof z.ZodType)) return undefined;
  const text = JSON.stringify(z.toJSONSchema(schema, { io: options.schemaType }));
  const {
    $schema: _,
    $defs,
    ...converted
  } = JSON.parse(text.replaceAll('#/$defs/', '#/components/schemas/'));
  return { schema: converted, components: $defs };
}

export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('ReSim Suite')
    .setDescription(
      'Region-level self-supervised pre-training. Every failure is told as problem details (RFC 9457). Times are ' +
        'RFC 3339 in UTC, 64-bit integers are JSON numbers.',
    )
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .build();
  const document = SwaggerModule.createDocument(app, config, { standardSchemaConverter: convert });
  const schemas = ((document.components ??= {}).schemas ??= {});
  for (const extra of [problem, runEvent]) {
    Object.assign(schemas, convert(extra, { schemaType: 'output' })?.components);
  }
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    operation.responses.default = {
      description: 'What went wrong',
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }
  return document;
}

/** The document at `/v1/openapi.json` and a page that draws it at `/v1/docs`, both from this host alone. */
export function serveOpenApi(app: NestExpressApplication): void {
  SwaggerModule.setup('v1/docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'v1/openapi.json',
    raw: ['json'],
    customSiteTitle: 'ReSim Suite API',
    // The page would otherwise ask a validator on another host about the document.
    swaggerOptions: { validatorUrl: null, displayRequestDuration: true },
  });
}
