import {
  Conv2d,
  l2Normalize,
  MlpHead,
  Module,
  PretrainingFpn,
  ResNet,
  type Init,
  type ResNetOptions,
} from '#libs/nn';
import type { Tensor } from '#libs/tensor';
import type { Features, Network } from './objective.js';
import { precise } from './region-contrast.js';

export interface EncoderOptions {
  trunk: ResNetOptions;
  /** Hidden units of the instance head; 0 for as many as the trunk's last map has channels. */
  hidden: number;
  /** Length of the instance embedding. */
  dim: number;
  /** What regions are read from: the pyramid (P4, P3), a 1x1 projection of C4, or nothing. */
  neck: { kind: 'fpn'; channels: number } | { kind: 'c4'; channels: number } | null;
}

/**
 * Trunk, instance head and what the regions are read from: the encoder of MoCo-v2, ReSim-C4 and ReSim-FPN.
 * Outputs: `embedding` `[N, dim]` of length 1, and the maps of the neck, `p4` and `p3` or `c4` `[N, channels, H, W]`.
 * The C4 projection is a reconstruction (`mocodet_conv` survives in the original code as comments only).
 */
export class Encoder extends Module implements Network {
  private readonly trunk: ResNet;
  private readonly head: MlpHead;
  private readonly neck: ((maps: { c3: Tensor; c4: Tensor; c5: Tensor }) => Features) | null;

  constructor(init: Init, { trunk, hidden, dim, neck }: EncoderOptions) {
    super();
    this.trunk = this.part('', new ResNet(init, trunk));
    const { c4, c5 } = this.trunk.channels;
    this.head = this.part('fc', new MlpHead(init.in('fc'), c5, hidden || c5, dim));
    this.neck = null;
    if (neck?.kind === 'fpn') {
      const fpn = this.part('', new PretrainingFpn(init, this.trunk.channels, neck.channels));
      this.neck = (maps) => fpn.forward(maps);
    } else if (neck?.kind === 'c4') {
      const name = 'mocodet_conv';
      const conv = this.part(
        name,
        new Conv2d(init.in(name), {
          inputs: c4,
          outputs: neck.channels,
          kernel: 1,
          bias: true,
          init: 'caffe2-xavier',
        }),
      );
      this.neck = (maps) => ({ c4: conv.forward(maps.c4) });
    }
  }

  forward(images: Tensor): Features {
    const maps = this.trunk.forward(images);
    const embedding = l2Normalize(precise(this.head.forward(maps.c5.mean([2, 3]))), 1);
    return { embedding, ...this.neck?.(maps) };
  }
}
