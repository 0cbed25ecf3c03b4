import { maxPool2d, tidy, type Tensor } from '#libs/tensor';
import type { Init } from './init.js';
import { BatchNorm2d, Conv2d } from './layers.js';
import { Module } from './module.js';

export interface ResNetOptions {
  /** `basic`: two 3x3 (ResNet-18, -34); `bottleneck`: 1x1, 3x3, 1x1 (ResNet-50). */
  block: 'basic' | 'bottleneck';
  /** Blocks of layer1 to layer4. */
  blocks: readonly [number, number, number, number];
  /** Channels of the stem. @default 64 */
  stem?: number;
  /** Inner channels of layer1 to layer4. @default [64, 128, 256, 512] */
  planes?: readonly [number, number, number, number];
}

/** The trunks that recipes may name. Torchvision's architectures, so that its weights load by name. */
export const RESNETS = {
  resnet18: { block: 'basic', blocks: [2, 2, 2, 2] },
  resnet50: { block: 'bottleneck', blocks: [3, 4, 6, 3] },
} as const satisfies Record<string, ResNetOptions>;

export type ResNetName = keyof typeof RESNETS;

const EXPANSION = { basic: 1, bottleneck: 4 };

/** A residual block: y = relu(x + f(x)); the shortcut is a strided 1x1 convolution where the shapes differ. */
class Block extends Module {
  private readonly convolutions: [Conv2d, BatchNorm2d][];
  private readonly shortcut: [Conv2d, BatchNorm2d] | null;

  constructor(init: Init, kind: ResNetOptions['block'], inputs: number, planes: number, stride: number) {
    super();
    const outputs = planes * EXPANSION[kind];
    // The stride stands in the 3x3 convolution (v1.5), the first of the two in the basic block.
    const layout =
      kind === 'basic'
        ? [
            { inputs, outputs: planes, kernel: 3, stride },
            { inputs: planes, outputs, kernel: 3, stride: 1 },
          ]
        : [
            { inputs, outputs: planes, kernel: 1, stride: 1 },
            { inputs: planes, outputs: planes, kernel: 3, stride },
            { inputs: planes, outputs, kernel: 1, stride: 1 },
          ];
    this.convolutions = layout.map((options, place) => [
      this.part(
        `conv${place + 1}`,
        new Conv2d(init.in(`conv${place + 1}`), { ...options, padding: options.kernel === 3 ? 1 : 0 }),
      ),
      this.part(`bn${place + 1}`, new BatchNorm2d(init, options.outputs)),
    ]);
    this.shortcut =
      stride === 1 && inputs === outputs
        ? null
        : [
            this.part(
              'downsample.0',
              new Conv2d(init.in('downsample.0'), { inputs, outputs, kernel: 1, stride }),
            ),
            this.part('downsample.1', new BatchNorm2d(init, outputs)),
          ];
  }

  forward(x: Tensor): Tensor {
    const last = this.convolutions.length - 1;
    let y = x;
    for (const [place, [conv, norm]] of this.convolutions.entries()) {
      y = norm.forward(conv.forward(y));
      if (place < last) y = y.relu_();
    }
    const shortcut = this.shortcut ? this.shortcut[1].forward(this.shortcut[0].forward(x)) : x;
    return y.add_(shortcut).relu_();
  }
}

/** What the trunk gives: maps of 1/8, 1/16 and 1/32 of the image's side, and the mean over the last. */
export interface TrunkFeatures {
  /** `[N, C3, H/8, W/8]` */
  c3: Tensor;
  /** `[N, C4, H/16, W/16]` */
  c4: Tensor;
  /** `[N, C5, H/32, W/32]` */
  c5: Tensor;
}

/**
 * ResNet v1.5 without its classifier (He et al. 2016, arXiv 1512.03385; torchvision's variant with the stride in the
 * 3x3). Cell (i, j) of a map of stride s is centred on pixel (s i, s j) of the image.
 */
export class ResNet extends Module {
  /** Channels of c3, c4, c5. */
  readonly channels: { c3: number; c4: number; c5: number };
  private readonly stem: [Conv2d, BatchNorm2d];
  private readonly stages: Block[][];

  constructor(init: Init, { block, blocks, stem = 64, planes = [64, 128, 256, 512] }: ResNetOptions) {
    super();
    this.stem = [
      this.part(
        'conv1',
        new Conv2d(init.in('conv1'), { inputs: 3, outputs: stem, kernel: 7, stride: 2, padding: 3 }),
      ),
      this.part('bn1', new BatchNorm2d(init, stem)),
    ];
    let inputs = stem;
    this.stages = blocks.map((count, stage) =>
      Array.from({ length: count }, (_, place) => {
        const name = `layer${stage + 1}.${place}`;
        const stride = stage > 0 && place === 0 ? 2 : 1;
        const made = this.part(name, new Block(init.in(name), block, inputs, planes[stage]!, stride));
        inputs = planes[stage]! * EXPANSION[block];
        return made;
      }),
    );
    const [, c3, c4, c5] = planes.map((count) => count * EXPANSION[block]);
    this.channels = { c3: c3!, c4: c4!, c5: c5! };
  }

  /** @param x normalised images `[N, 3, H, W]`, H and W multiples of 32 */
  forward(x: Tensor): TrunkFeatures {
    const [conv, norm] = this.stem;
    let map = tidy(() =>
      maxPool2d(norm.forward(conv.forward(x)).relu_(), [3, 3], { stride: [2, 2], padding: [1, 1] }),
    );
    const ends: Tensor[] = [];
    for (const stage of this.stages) {
      for (const block of stage) {
        const input = map;
        map = tidy(() => block.forward(input));
        // What the backward pass needs is held by its graph; without one the map is of no more use.
        if (!ends.includes(input)) input.dispose();
      }
      ends.push(map);
    }
    ends[0]!.dispose();
    return { c3: ends[1]!, c4: ends[2]!, c5: ends[3]! };
  }
}
