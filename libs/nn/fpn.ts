import { upsampleNearest2d, type Tensor } from '#libs/tensor';
import type { Init } from './init.js';
import { Conv2d } from './layers.js';
import { Module } from './module.js';
import type { TrunkFeatures } from './resnet.js';

/**
 * The feature pyramid of ReSim-FPN's pre-training: P4 = out4(lat4(C4) + up(lat5(C5))) and
 * P3 = out3(lat3(C3) + up(the sum before out4)), biases, no norm, nearest upsampling. There is no output convolution
 * at level 5 and nothing at levels 2 and 6: what a detector has besides starts fresh.
 * Source: the original code's moco/models.py; Lin et al. 2017, arXiv 1612.03144.
 */
export class PretrainingFpn extends Module {
  private readonly lateral5: Conv2d;
  private readonly lateral4: Conv2d;
  private readonly output4: Conv2d;
  private readonly lateral3: Conv2d;
  private readonly output3: Conv2d;

  constructor(init: Init, inputs: { c3: number; c4: number; c5: number }, channels: number) {
    super();
    const conv = (name: string, from: number, kernel: number) =>
      this.part(
        name,
        new Conv2d(init.in(name), {
          inputs: from,
          outputs: channels,
          kernel,
          padding: kernel === 3 ? 1 : 0,
          bias: true,
          init: 'caffe2-xavier',
        }),
      );
    this.lateral5 = conv('fpn_lateral5', inputs.c5, 1);
    this.lateral4 = conv('fpn_lateral4', inputs.c4, 1);
    this.output4 = conv('fpn_output4', channels, 3);
    this.lateral3 = conv('fpn_lateral3', inputs.c3, 1);
    this.output3 = conv('fpn_output3', channels, 3);
  }

  /** -> P4 `[N, channels, H/16, W/16]` and P3 `[N, channels, H/8, W/8]` */
  forward({ c3, c4, c5 }: TrunkFeatures): { p4: Tensor; p3: Tensor } {
    const onto = (map: Tensor, coarser: Tensor) => map.add_(upsampleNearest2d(coarser, map.shape.slice(2)));
    const level4 = onto(this.lateral4.forward(c4), this.lateral5.forward(c5));
    const level3 = onto(this.lateral3.forward(c3), level4);
    return { p4: this.output4.forward(level4), p3: this.output3.forward(level3) };
  }
}
