import { ForbiddenException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/**
 * A page of another origin may send a POST without a body to this host and so cancel a run, although it could not
 * read the answer: browsers name the page's origin, and a foreign one is refused.
 */
export function sameOriginOnly(request: Request, _response: Response, next: NextFunction): void {
  const { origin, host } = request.headers;
  const foreign = origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
  if (foreign && request.method !== 'GET' && request.method !== 'HEAD') {
    next(new ForbiddenException(`a page of ${origin} may not change anything here`));
  } else next();
}

/** Pages of the gateway load nothing from another host and are shown in no frame of another one. */
export function contentPolicy(_request: Request, response: Response, next: NextFunction): void {
  response.set({
    'Content-Security-Policy':
      "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  });
  next();
}
