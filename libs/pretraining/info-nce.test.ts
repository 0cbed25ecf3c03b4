import { describe, expect, it } from 'vitest';
import { l2Normalize } from '#libs/nn';
import { cat, crossEntropyLoss, empty, Generator, grad, zeros, type DType, type Tensor } from '#libs/tensor';
import { infoNce, infoNceRows } from './info-nce.js';

function problem(rows: number, keys: number, dtype: DType) {
  const generator = new Generator(11);
  const draw = (count: number) => l2Normalize(empty([count, 32], { dtype }).normal_({ generator }), 1);
  return {
    query: draw(rows).setRequiresGrad(true),
    positive: draw(rows),
    negatives: draw(keys),
    temperature: 0.2,
  };
}

/** The definition: the whole matrix of logits, cross entropy with the positive as class 0. */
function materialised({ query, positive, negatives, temperature }: ReturnType<typeof problem>): Tensor {
  const logits = cat([query.mul(positive).sum([1], { keepdim: true }), query.mm(negatives.transpose(0, 1))], {
    dim: 1,
  });
  return crossEntropyLoss(logits.div(temperature), zeros([query.shape[0]!], { dtype: 'int64' }));
}

describe('chunked InfoNCE', () => {
  it.each([
    ['float32', 1e-5],
    ['float64', 1e-13],
  ] as const)('equals the materialised one in %s, its gradient too', (dtype, tolerance) => {
    const input = problem(50, 30_011, dtype);
    const [ours, theirs] = [infoNce(input).loss, materialised(input)];
    expect(Math.abs(ours.item() - theirs.item())).toBeLessThan(tolerance);
    const [a, b] = [grad(ours, [input.query])[0]!, grad(theirs, [input.query])[0]!];
    expect(a.sub(b).abs().amax().item()).toBeLessThan(tolerance);
  });

  it('does not depend on where it is cut', () => {
    const input = problem(7, 1001, 'float64');
    const whole = infoNceRows(input);
    for (const chunk of [1, 64, 7 * 1001, 1 << 20]) {
      const cut = infoNceRows(input, chunk);
      expect(cut.logSumExp.sub(whole.logSumExp).abs().amax().item()).toBeLessThan(1e-12);
      expect(cut.gradient.sub(whole.gradient).abs().amax().item()).toBeLessThan(1e-12);
    }
  });

  it('stays finite at temperatures at which a plain exponential overflows', () => {
    const input = { ...problem(5, 100, 'float32'), temperature: 0.001 };
    const { loss } = infoNce(input);
    expect(Number.isFinite(loss.item())).toBe(true);
    expect(Math.abs(loss.item() - materialised(input).item()) / loss.item()).toBeLessThan(1e-5);
  });

  it('counts the rows whose positive beats all negatives', () => {
    const input = problem(8, 40, 'float32');
    const same = infoNce({ ...input, positive: input.query.detach() });
    expect(same.accuracy.item()).toBe(1);
    const opposite = infoNce({ ...input, positive: input.query.detach().neg() });
    expect(opposite.accuracy.item()).toBe(0);
  });

  it('scales its gradient with what flows in', () => {
    const input = problem(8, 40, 'float64');
    const once = grad(infoNce(input).loss, [input.query])[0]!;
    const thrice = grad(infoNce(input).loss.mul(3), [input.query])[0]!;
    expect(thrice.sub(once.mul(3)).abs().amax().item()).toBeLessThan(1e-15);
  });
});
