import type { Tensor } from '#libs/tensor';
import type { Init } from './init.js';
import { Linear } from './layers.js';
import { Module } from './module.js';

/** Linear, ReLU, Linear without normalisation: MoCo-v2's projection (arXiv 2003.04297). `[N, inputs] -> [N, outputs]` */
export class MlpHead extends Module {
  private readonly first: Linear;
  private readonly second: Linear;

  constructor(init: Init, inputs: number, hidden: number, outputs: number) {
    super();
    this.first = this.part('0', new Linear(init.in('0'), inputs, hidden));
    // PyTorch counts the activation as a layer of its own.
    this.second = this.part('2', new Linear(init.in('2'), hidden, outputs));
  }

  forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x).relu_());
  }
}

/** Each vector along `dim` divided by its length (at least 1e-12, as PyTorch's normalize). */
export function l2Normalize(x: Tensor, dim: number): Tensor {
  return x.div(x.norm({ dim: [dim], keepdim: true }).clamp({ min: 1e-12 }));
}
