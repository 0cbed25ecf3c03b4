import { batchNorm, conv2d, linear, type Tensor } from '#libs/tensor';
import type { Init } from './init.js';
import { Module } from './module.js';

export interface Conv2dOptions {
  inputs: number;
  outputs: number;
  /** Side of the square kernel in cells. */
  kernel: number;
  /** @default 1 */
  stride?: number;
  /** Zeros around the input, in cells. @default 0 */
  padding?: number;
  /** @default false */
  bias?: boolean;
  /**
   * `kaiming-fan-out`: N(0, 2 / (K h w)), as torchvision's ResNet; `caffe2-xavier`: U(+-sqrt(3 / (C h w))), as
   * Detectron2's feature pyramid. Biases start at 0.
   * @default 'kaiming-fan-out'
   */
  init?: 'kaiming-fan-out' | 'caffe2-xavier';
}

/** Convolution. `[N, inputs, H, W] -> [N, outputs, H2, W2]` */
export class Conv2d extends Module {
  private readonly weight: Tensor;
  private readonly bias: Tensor | null;
  private readonly stride: number;
  private readonly padding: number;

  constructor(
    init: Init,
    { inputs, outputs, kernel, stride = 1, padding = 0, bias = false, init: rule }: Conv2dOptions,
  ) {
    super();
    const shape = [outputs, inputs, kernel, kernel];
    const weight =
      rule === 'caffe2-xavier'
        ? init.uniform('weight', shape, Math.sqrt(3 / (inputs * kernel * kernel)))
        : init.normal('weight', shape, Math.sqrt(2 / (outputs * kernel * kernel)));
    this.weight = this.parameter('weight', weight);
    this.bias = bias ? this.parameter('bias', init.zeros([outputs])) : null;
    this.stride = stride;
    this.padding = padding;
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, {
      bias: this.bias,
      stride: [this.stride, this.stride],
      padding: [this.padding, this.padding],
    });
  }
}

/**
 * Batch normalisation in training mode: every channel by its own mean and variance over N, H, W of this call, running
 * statistics moved by 0.1 (the variance unbiased), eps 1e-5. `[N, C, H, W] -> [N, C, H, W]`
 */
export class BatchNorm2d extends Module {
  private readonly weight: Tensor;
  private readonly bias: Tensor;

  constructor(init: Init, channels: number) {
    super();
    this.weight = this.parameter('weight', init.ones([channels]));
    this.bias = this.parameter('bias', init.zeros([channels]));
    this.registerBuffer('running_mean', init.zeros([channels]));
    this.registerBuffer('running_var', init.ones([channels]));
  }

  forward(x: Tensor): Tensor {
    const [mean, variance] = [this.buffer('running_mean'), this.buffer('running_var')];
    return batchNorm(x, this.weight, this.bias, mean, variance, true, 0.1, 1e-5);
  }
}

/** x weight^T + bias; both start as U(+-1 / sqrt(inputs)), PyTorch's default. `[N, inputs] -> [N, outputs]` */
export class Linear extends Module {
  private readonly weight: Tensor;
  private readonly bias: Tensor;

  constructor(init: Init, inputs: number, outputs: number) {
    super();
    const bound = 1 / Math.sqrt(inputs);
    this.weight = this.parameter('weight', init.uniform('weight', [outputs, inputs], bound));
    this.bias = this.parameter('bias', init.uniform('bias', [outputs], bound));
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, { bias: this.bias });
  }
}
