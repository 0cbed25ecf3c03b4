import { fingerprint, invalid, isUuid } from '#libs/core';

/**
 * Where the next page of a list begins. Opaque for clients: it names the last run of the page before, and what the list
 * was asked for, because a token of one list means nothing in another.
 */
export function makePageToken(lastId: string, filter: unknown): string {
  return Buffer.from(JSON.stringify([lastId, fingerprint(filter).slice(0, 16)])).toString('base64url');
}

/** @throws ResimError `INVALID_ARGUMENT` when it is not a token of this list */
export function readPageToken(token: string, filter: unknown): string {
  const refusal = invalid(
    'page_token',
    token,
    'the next_page_token of a list with the same filter',
    'INVALID_PAGE_TOKEN',
  );
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    throw refusal;
  }
  const [id, hash] = Array.isArray(parts) ? (parts as unknown[]) : [];
  if (typeof id !== 'string' || !isUuid(id) || hash !== fingerprint(filter).slice(0, 16)) throw refusal;
  return id;
}
