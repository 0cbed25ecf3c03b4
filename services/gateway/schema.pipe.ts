import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { invalid, parseWith } from '#libs/core';
import { z } from 'zod';

/**
 * Validates what a parameter's decorator has a schema for. Nest's own pipe knows the issues but not the input, and a
 * refusal must tell the value that was wrong.
 */
@Injectable()
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    if (!(metadata.schema instanceof z.ZodType)) return value;
    if (metadata.type === 'body' && value === undefined) {
      throw invalid('body', value, 'a JSON object, sent with Content-Type: application/json');
    }
    return parseWith(metadata.schema, value, { root: metadata.data });
  }
}
