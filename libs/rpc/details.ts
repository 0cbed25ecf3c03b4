import { Metadata, type ServiceError, status as Status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { type ErrorCode, type FieldViolation, projectPath, ResimError, show } from '#libs/core';

/**
 * `ResimError` on the wire and back: the status code, the sentence, and `google.rpc` details (ErrorInfo, BadRequest)
 * in `grpc-status-details-bin`, which clients of every language know how to read.
 */

const DETAILS = 'grpc-status-details-bin';
const DOMAIN = 'resim';
const TYPES = 'type.googleapis.com/google.rpc.';
/** HTTP/2 peers commonly refuse more than 8 KiB of headers, and base64 adds a third: long texts are cut. */
const MAX_MESSAGE = 1500;
const MAX_VIOLATIONS = 12;

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => projectPath('proto', target);
root.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto']);
const StatusMessage = root.lookupType('google.rpc.Status');
const ErrorInfo = root.lookupType('google.rpc.ErrorInfo');
const BadRequest = root.lookupType('google.rpc.BadRequest');

interface ErrorInfoMessage {
  reason: string;
  domain: string;
  metadata: Record<string, string>;
}
interface BadRequestMessage {
  fieldViolations: { field: string; description: string }[];
}
interface StatusMessageShape {
  details: { type_url: string; value: Uint8Array }[];
}

/** What a gRPC handler of grpc-js may answer with instead of a message. */
export interface WireError {
  code: Status;
  details: string;
  metadata: Metadata;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 3)}...` : text;
}

/** A value of a violation travels beside it, as short JSON: BadRequest has a place for the description only. */
function valueKey(index: number): string {
  return `value.${index}`;
}

export function toWire(error: ResimError): WireError {
  const code = Status[error.code];
  const message = cut(error.message, MAX_MESSAGE);
  const violations = error.violations.slice(0, MAX_VIOLATIONS);
  const metadata = { ...error.metadata };
  violations.forEach(({ value }, index) => {
    if (value !== undefined) metadata[valueKey(index)] = show(value);
  });
  const details = [
    {
      type_url: `${TYPES}ErrorInfo`,
      value: ErrorInfo.encode({ reason: error.reason, domain: DOMAIN, metadata }).finish(),
    },
  ];
  if (violations.length > 0) {
    const fieldViolations = violations.map(({ field, expected }) => ({
      field: cut(field, 200),
      description: cut(expected, 200),
    }));
    details.push({
      type_url: `${TYPES}BadRequest`,
      value: BadRequest.encode(BadRequest.fromObject({ fieldViolations })).finish(),
    });
  }
  const headers = new Metadata();
  const encoded = StatusMessage.encode(StatusMessage.fromObject({ code, message, details })).finish();
  headers.set(DETAILS, Buffer.from(encoded));
  return { code, details: message, metadata: headers };
}

/** Codes that a server or the transport may send and this project has no name for. */
const NEAREST: Partial<Record<Status, ErrorCode>> = {
  [Status.UNKNOWN]: 'INTERNAL',
  [Status.OUT_OF_RANGE]: 'INVALID_ARGUMENT',
  [Status.PERMISSION_DENIED]: 'FAILED_PRECONDITION',
  [Status.UNAUTHENTICATED]: 'FAILED_PRECONDITION',
};

/** The error a server told of; what the transport itself found out (nobody answers, out of time) is put into words. */
export function fromWire(error: ServiceError, address: string): ResimError {
  const code = NEAREST[error.code] ?? (Status[error.code] as ErrorCode);
  const told = readDetails(error.metadata);
  if (told !== undefined) return new ResimError(code, error.details, { ...told, cause: error });
  if (code === 'UNAVAILABLE') {
    return new ResimError('UNAVAILABLE', `no service answers at ${address}; is it running?`, {
      reason: 'SERVICE_UNREACHABLE',
      metadata: { address },
      cause: error,
    });
  }
  const sentence = {
    CANCELLED: 'the call was cancelled',
    DEADLINE_EXCEEDED: `the service at ${address} did not answer in time`,
  }[code as string];
  return new ResimError(code, sentence ?? error.details, { cause: error });
}

function readDetails(
  headers: Metadata | undefined,
): { reason: string; violations: FieldViolation[]; metadata: Record<string, string> } | undefined {
  const encoded = headers?.get(DETAILS)[0];
  if (!Buffer.isBuffer(encoded)) return undefined;
  let info: ErrorInfoMessage | undefined;
  let request: BadRequestMessage | undefined;
  try {
    const { details } = StatusMessage.decode(encoded) as unknown as StatusMessageShape;
    for (const { type_url: type, value } of details) {
      if (type === `${TYPES}ErrorInfo`) info = ErrorInfo.decode(value) as unknown as ErrorInfoMessage;
      if (type === `${TYPES}BadRequest`) request = BadRequest.decode(value) as unknown as BadRequestMessage;
    }
  } catch {
    // Details are an extra: a server that garbles them has still told the code and the sentence.
    return undefined;
  }
  if (info === undefined) return undefined;
  const metadata = { ...info.metadata };
  const violations = (request?.fieldViolations ?? []).map(({ field, description }, index) => {
    const text = metadata[valueKey(index)];
    delete metadata[valueKey(index)];
    return { field, expected: description, ...(text === undefined ? {} : { value: parse(text) }) };
  });
  return { reason: info.reason, violations, metadata };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
