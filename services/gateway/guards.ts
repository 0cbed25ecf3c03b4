import { ForbiddenException } from '@nestjs/common';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { isIP } from 'node:net';

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

/**
 * A foreign page may have its own name resolved to this machine's loopback address and would then be of the same
 * origin: a gateway for this machine alone answers to the machine's own names only. One that listens to others
 * answers to any name, for it cannot know its own.
 *
 * @param loopback whether the gateway listens to this machine alone
 */
export function ownNamesOnly(loopback: boolean): RequestHandler {
  return (request, _response, next) => {
    const name = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    if (!loopback || isIP(name) !== 0 || /^(.+\.)?localhost$/i.test(name)) next();
    else next(new ForbiddenException(`a gateway that listens to this machine alone is not called ${name}`));
  };
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
