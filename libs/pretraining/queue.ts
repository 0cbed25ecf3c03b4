import { arange, keep, noGrad, tensor, tidy, type Tensor } from '#libs/tensor';
import { l2Normalize, type Init } from '#libs/nn';
import type { Memory } from './memory.js';

/**
 * First-in, first-out memory of L2-normalised keys: MoCo's dictionary (arXiv 1911.05722, section 3.2). Starts with
 * random unit vectors; the oldest entries are overwritten.
 */
export class Queue implements Memory {
  /** `[K, D]`, one key a row. */
  readonly entries: Tensor;
  /** Row that is overwritten next. */
  pointer = 0;
  /** Entries written so far, at most K: the rest is still random. */
  filled = 0;

  constructor(init: Init, name: string, length: number, dimensions: number) {
    this.entries = keep(tidy(() => noGrad(() => l2Normalize(init.normal(name, [length, dimensions], 1), 1))));
  }

  get length(): number {
    return this.entries.shape[0]!;
  }

  /** @param keys `[N, D]` */
  write(keys: Tensor): void {
    const count = keys.shape[0]!;
    const places = Array.from({ length: count }, (_, row) => (this.pointer + row) % this.length);
    noGrad(() => {
      const straight = this.pointer + count <= this.length;
      const index = straight
        ? arange(this.pointer, this.pointer + count, { dtype: 'int64', device: this.entries.device })
        : tensor(places, [count], { dtype: 'int64' }).toDevice(this.entries.device, 'int64');
      this.entries.indexCopy_(0, index, keys.detach().toDType(this.entries.dtype));
    });
    this.pointer = (this.pointer + count) % this.length;
    this.filled = Math.min(this.filled + count, this.length);
  }

  position(): { pointer: number; filled: number } {
    return { pointer: this.pointer, filled: this.filled };
  }

  restore(position: Readonly<Record<string, number>>): void {
    this.pointer = position['pointer'] ?? 0;
    this.filled = position['filled'] ?? 0;
  }

  fill(): number {
    return this.filled / this.length;
  }

  dispose(): void {
    this.entries.dispose();
  }
}
