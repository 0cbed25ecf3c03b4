import type { Metadata, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { EMPTY, type Observable } from 'rxjs';
import { clientClass, type Contract } from './contracts.js';
import { streamToCall } from './stream.js';

/** What a handler knows of its call, beside the request. */
export interface RpcContext {
  /** Fires when the client has left or its deadline has passed: nobody will read the answer. */
  signal: AbortSignal;
  metadata: Metadata;
}

type Handler<F> = F extends (request: infer Request) => infer Answer
  ? [Answer] extends [Observable<infer Message>]
    ? (request: Request, context: RpcContext) => AsyncIterable<Message>
    : (request: Request, context: RpcContext) => Promise<Awaited<Extract<Answer, Promise<unknown>>>>
  : never;

/** What a class must have to serve a contract: a promise for each unary RPC, an async iterable for each stream. */
export type RpcHandlers<Generated> = { [Name in keyof Generated]: Handler<Generated[Name]> };

type AnyCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;
type AnyHandler = (this: unknown, request: unknown, context: RpcContext) => unknown;

/**
 * Makes a class the Nest controller of a contract. Nest by itself tells a handler neither that its client has left nor
 * that it reads too slowly; a handler here gets an `AbortSignal`, and its stream is pulled, not pushed.
 */
export function RpcController<Generated>(
  contract: Contract<Generated>,
): (target: new (...args: never[]) => RpcHandlers<Generated>) => void {
  return (target) => {
    const prototype = target.prototype as Record<string, AnyHandler>;
    const service = contract.service.slice(contract.package.length + 1);
    for (const [rpc, { originalName }] of Object.entries(clientClass(contract).service)) {
      const name = originalName ?? rpc;
      const value = wrap(prototype[name]!);
      const descriptor: PropertyDescriptor = { value, writable: true, configurable: true };
      Object.defineProperty(prototype, name, descriptor);
      GrpcMethod(service, rpc)(prototype, name, descriptor);
    }
    Controller()(target);
  };
}

function wrap(handler: AnyHandler) {
  return async function (
    this: unknown,
    request: unknown,
    metadata: Metadata,
    call: AnyCall,
  ): Promise<unknown> {
    const controller = new AbortController();
    const { signal } = controller;
    if (call.cancelled) controller.abort();
    else call.on('cancelled', () => controller.abort());
    const answer = handler.call(this, request, { signal, metadata });
    if (!isAsyncIterable(answer)) return await answer;
    await streamToCall(call as ServerWritableStream<unknown, unknown>, answer, signal);
    return EMPTY;
  };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
