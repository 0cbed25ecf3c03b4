import { native, type GeneratorHandle } from './native.js';

/**
 * A seeded source of random tensors. Pass it to operators that draw (`normal_`, `uniform_`, `randperm`): none is
 * ever drawn from a global state.
 */
export class Generator {
  readonly handle: GeneratorHandle;

  /** @param seed any integer; its lower 64 bits count. @param device where the drawn tensors live. */
  constructor(seed: number | bigint, device = 'cpu') {
    this.handle = new (native().GeneratorHandle)(BigInt.asUintN(64, BigInt(seed)), device);
  }

  /** The whole state, to be saved. */
  state(): Uint8Array {
    return new Uint8Array(native().bytes(this.handle.state(), false));
  }

  /** Goes on from a saved state. @throws Error when it is not the state of such a generator. */
  setState(state: Uint8Array): void {
    this.handle.setState(native().fromTypedArray(state, [state.length], 'uint8', false));
  }
}
