import { createHash } from 'node:crypto';
import { empty, Generator, noGrad, ones, tidy, zeros, type DType, type Tensor } from '#libs/tensor';

export interface InitOptions {
  seed: number;
  /** @default 'float32' */
  dtype?: DType;
  /** @default 'cpu' */
  device?: string;
}

/**
 * Makes the first values of parameters. Every tensor draws from a generator of its own, keyed by (seed, name), so a
 * network keeps its values when another part is added to it, and they are the same on every device.
 */
export class Init {
  readonly dtype: DType;
  readonly device: string;
  readonly seed: number;
  private readonly prefix: string;

  constructor(options: InitOptions, prefix = '') {
    this.seed = options.seed;
    this.dtype = options.dtype ?? 'float32';
    this.device = options.device ?? 'cpu';
    this.prefix = prefix;
  }

  /** The same source of values for a part of the network. */
  in(part: string): Init {
    return new Init(this, part === '' ? this.prefix : `${this.prefix}${part}.`);
  }

  private place(values: Tensor): Tensor {
    const placed = values.toDevice(this.device, this.dtype);
    // Convolution weights stand in the format that the kernels want, so that no pass has to rearrange them.
    return placed.shape.length === 4 ? placed.contiguous({ memoryFormat: 'channels_last' }) : placed;
  }

  private draw(
    name: string,
    shape: readonly number[],
    fill: (values: Tensor, generator: Generator) => void,
  ): Tensor {
    return tidy(() =>
      noGrad(() => {
        const digest = createHash('sha256').update(`${this.seed}/${this.prefix}${name}`).digest();
        const values = empty(shape);
        fill(values, new Generator(digest.readBigUInt64LE()));
        return this.place(values);
      }),
    );
  }

  /** N(0, std^2) */
  normal(name: string, shape: readonly number[], std: number): Tensor {
    return this.draw(name, shape, (values, generator) => values.normal_({ mean: 0, std, generator }));
  }

  /** U(-bound, bound) */
  uniform(name: string, shape: readonly number[], bound: number): Tensor {
    return this.draw(name, shape, (values, generator) =>
      values.uniform_({ from: -bound, to: bound, generator }),
    );
  }

  ones(shape: readonly number[]): Tensor {
    return ones(shape, { dtype: this.dtype, device: this.device });
  }

  zeros(shape: readonly number[]): Tensor {
    return zeros(shape, { dtype: this.dtype, device: this.device });
  }
}
