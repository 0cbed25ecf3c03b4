import type { TensorBase } from './tensor-base.js';

/**
 * Tensors hold memory that the garbage collector does not see well, so they are freed by scope: `tidy` disposes of
 * every tensor made inside it but the ones it returns. Scopes nest; what an inner one returns belongs to the outer.
 */
const scopes: TensorBase[][] = [];

/** Puts a new tensor under the care of the innermost scope. Called by the engines for every tensor they make. */
export function track(tensor: TensorBase): void {
  const scope = scopes.at(-1);
  if (scope) scope.push(tensor);
  else tensor.engine.leaveToCollector(tensor);
}

function collect(value: unknown, found: Set<TensorBase>): void {
  if (value === null || typeof value !== 'object') return;
  if ('engine' in value && 'dispose' in value) found.add(value as TensorBase);
  else if (Array.isArray(value)) for (const item of value) collect(item, found);
  else if (value instanceof Map) for (const item of value.values()) collect(item, found);
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) collect(item, found);
}

/**
 * Runs `body` and frees every tensor that was made in it, except those in its result (a tensor, or tensors inside
 * arrays, maps and plain objects) and those kept with `keep`. After an error everything is freed.
 * @throws TypeError when `body` is asynchronous: its tensors would be freed while it still waits.
 */
export function tidy<T>(body: () => T): T {
  const scope: TensorBase[] = [];
  scopes.push(scope);
  let result: T;
  try {
    result = body();
    if (result instanceof Promise) throw new TypeError('the body of tidy() must not be asynchronous');
  } catch (error) {
    scopes.pop();
    for (const tensor of scope) tensor.dispose();
    throw error;
  }
  scopes.pop();
  const kept = new Set<TensorBase>();
  collect(result, kept);
  const outer = scopes.at(-1);
  for (const tensor of scope) {
    if (!kept.has(tensor) && !tensor.isKept) tensor.dispose();
    else if (outer) outer.push(tensor);
    else if (!tensor.isDisposed) tensor.engine.leaveToCollector(tensor);
  }
  return result;
}

/** Takes a tensor out of the care of every scope: its owner disposes of it. For parameters, buffers and queues. */
export function keep<T extends TensorBase>(tensor: T): T {
  tensor.isKept = true;
  return tensor;
}
