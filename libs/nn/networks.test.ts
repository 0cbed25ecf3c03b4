import { describe, expect, it } from 'vitest';
import { keep, tensor, type Tensor } from '#libs/tensor';
import { Init, learningRate, MlpHead, PretrainingFpn, ResNet, RESNETS, Sgd } from './index.js';

const init = () => new Init({ seed: 1 });
const count = (tensors: Iterable<Tensor>) => [...tensors].reduce((sum, tensor) => sum + tensor.size, 0);

describe('networks', () => {
  it('have the sizes of the published ones', () => {
    const trunk = new ResNet(init(), RESNETS.resnet50);
    expect(count(trunk.parameters())).toBe(23_508_032);
    expect(trunk.channels).toEqual({ c3: 512, c4: 1024, c5: 2048 });
    expect(count(new PretrainingFpn(init(), trunk.channels, 256).parameters())).toBe(2_098_432);
    expect(count(new MlpHead(init(), 2048, 2048, 128).parameters())).toBe(4_458_624);
    // torchvision's resnet18 has 11,689,512, of which 513,000 are its classifier.
    expect(count(new ResNet(init(), RESNETS.resnet18).parameters())).toBe(11_689_512 - 513_000);
  });

  it("have torchvision's parameter names in torchvision's order", () => {
    const names = [...new ResNet(init(), RESNETS.resnet18).state().keys()];
    expect(names.slice(0, 6)).toEqual([
      'conv1.weight',
      'bn1.weight',
      'bn1.bias',
      'layer1.0.conv1.weight',
      'layer1.0.bn1.weight',
      'layer1.0.bn1.bias',
    ]);
    expect(names).toContain('layer2.0.downsample.0.weight');
    expect(names).toContain('layer4.1.bn2.running_var');
    expect(new Set(names).size).toBe(names.length);
  });

  it('give maps of 1/8, 1/16 and 1/32 of the image', () => {
    const maps = new ResNet(init(), RESNETS.resnet18).forward(
      tensor(new Float32Array(2 * 3 * 64 * 96), [2, 3, 64, 96]),
    );
    expect(Object.values(maps).map((map) => map.shape)).toEqual([
      [2, 128, 8, 12],
      [2, 256, 4, 6],
      [2, 512, 2, 3],
    ]);
  });

  it('start from the same values whatever else is built, and from others under another seed', () => {
    const weights = (seed: number, stem = 64) =>
      new ResNet(new Init({ seed }), { ...RESNETS.resnet18, stem })
        .state()
        .get('layer3.0.conv2.weight')!
        .toArray();
    expect(weights(1, 32)).toEqual(weights(1, 64));
    expect(weights(2)).not.toEqual(weights(1));
  });

  it('start with the spread that their rules say', () => {
    const weight = new ResNet(init(), RESNETS.resnet18).state().get('layer3.0.conv2.weight')!;
    const variance = weight.pow(2).mean(null).item();
    expect(variance / (2 / (256 * 9))).toBeCloseTo(1, 1);
    const lateral = new PretrainingFpn(init(), { c3: 8, c4: 8, c5: 8 }, 16)
      .state()
      .get('fpn_output4.weight')!;
    expect(lateral.abs().amax().item()).toBeLessThanOrEqual(Math.sqrt(3 / (16 * 9)));
  });

  it('refuse weights of another shape or without one of theirs, by name', () => {
    const head = new MlpHead(init(), 4, 4, 2);
    expect(() => head.load(new Map())).toThrow(/no tensor `0.weight`/);
    const state = new Map(head.state()).set('2.weight', tensor([1], [1]));
    expect(() => head.load(state)).toThrow(/`2.weight` must have the shape \[2, 4\], the weights have \[1\]/);
  });

  it('give every shard running statistics of its own, until they are broadcast', () => {
    const trunk = new ResNet(init(), RESNETS.resnet18);
    trunk.setShards(2);
    trunk.selectShard(1);
    trunk.forward(
      keep(
        tensor(
          Float32Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => Math.sin(i)),
          [2, 3, 32, 32],
        ),
      ),
    );
    const mean = (shard: number) => trunk.namedBuffers(shard).get('bn1.running_mean')!.toArray();
    expect(mean(1)).not.toEqual(mean(0));
    trunk.broadcastBuffers();
    expect(mean(1)).toEqual(mean(0));
  });
});

describe('the learning rate', () => {
  const schedule = { kind: 'cosine', per: 'epoch', warmupSteps: 0, milestones: [2, 3], gamma: 0.1 } as const;
  const at = (step: number, change = {}) =>
    learningRate({ ...schedule, ...change }, 0.03, { step, stepsPerEpoch: 10, epochs: 4 });

  it('falls along a cosine by whole epochs, as published', () => {
    expect(at(0)).toBe(0.03);
    expect(at(9)).toBe(0.03);
    expect(at(20)).toBeCloseTo(0.015, 15);
    expect(at(39)).toBeCloseTo((0.03 * (1 + Math.cos((Math.PI * 3) / 4))) / 2, 15);
  });

  it('may fall every step, in steps, or not at all', () => {
    expect(at(5, { per: 'step' })).toBeLessThan(0.03);
    expect([at(19), at(20), at(30)].map((_, i) => at([19, 20, 30][i]!, { kind: 'step' }))).toEqual([
      0.03,
      0.03 * 0.1,
      0.03 * 0.1 ** 2,
    ]);
    expect(at(39, { kind: 'constant' })).toBe(0.03);
  });

  it('rises over the warm-up', () => {
    expect(at(0, { warmupSteps: 4 })).toBeCloseTo(0.0075, 15);
    expect(at(4, { warmupSteps: 4 })).toBe(0.03);
  });
});

describe('SGD', () => {
  it("takes PyTorch's steps", () => {
    const weight = keep(tensor(Float64Array.of(1, -2), [2]));
    const sgd = new Sgd(new Map([['w', weight]]), { momentum: 0.9, weightDecay: 0.1 });
    let [w, v] = [
      [1, -2],
      [0, 0],
    ];
    for (const gradient of [
      [0.5, 1],
      [-0.25, 0.125],
    ]) {
      sgd.step([tensor(Float64Array.from(gradient), [2])], 0.2);
      v = v.map((value, i) => 0.9 * value + gradient[i]! + 0.1 * w[i]!);
      w = w.map((value, i) => value - 0.2 * v[i]!);
    }
    weight.toArray().forEach((value, i) => expect(value).toBeCloseTo(w[i]!, 14));
  });
});
