import { full, noGrad, ones, tidy, withKnownGradient, type Tensor } from '#libs/tensor';

export interface InfoNceInput {
  /** `[M, D]`, with gradients. */
  query: Tensor;
  /** The matching key of every row `[M, D]`. */
  positive: Tensor;
  /** Keys that match no row `[K, D]`, the same for all. */
  negatives: Tensor;
  temperature: number;
}

/** What InfoNCE knows of every row; logits are already divided by the temperature. */
export interface InfoNceRows {
  /** Logit of the positive `[M]`. */
  positive: Tensor;
  /** log-sum-exp over the positive and all negatives `[M]`; the loss of a row is `logSumExp - positive`. */
  logSumExp: Tensor;
  /** Largest logit among the negatives `[M]`. */
  hardest: Tensor;
  /** Gradient of the row's loss with respect to its query `[M, D]`. */
  gradient: Tensor;
}

/** Logits that are held at a time: 4 MB, so that a chunk stays in the cache between the passes over it. */
const CHUNK_VALUES = 1 << 20;

/**
 * The rows of InfoNCE, one chunk of negatives at a time: the `[M, K]` matrix of logits never exists. The
 * log-sum-exp is carried along with its running maximum, and the expected key under the softmax with it, which is
 * all that the gradient needs: d/dq (lse - q.k+/t) = (sum_n p_n n - k+) / t, n over positive and negatives.
 * Exact: no approximation beyond the rounding of the sums.
 *
 * @param chunkValues for tests @default 2^20
 */
export function infoNceRows(
  { query, positive, negatives, temperature }: InfoNceInput,
  chunkValues = CHUNK_VALUES,
): InfoNceRows {
  return tidy(() =>
    noGrad(() => {
      const scaled = query.detach().div(temperature);
      const [count, places] = [scaled.shape[0]!, negatives.shape[0]!];
      const chunk = Math.max(1, Math.floor(chunkValues / Math.max(1, count)));
      const match = scaled.mul(positive).sum([1]);
      const like = { dtype: scaled.dtype, device: scaled.device };
      let running = {
        max: match,
        sum: ones([count], like),
        expected: positive.clone(),
        hardest: full([count], -Infinity, like),
      };
      for (let begin = 0; begin < places; begin += chunk) {
        const previous = running;
        running = tidy(() => {
          const keys = negatives.narrow(0, begin, Math.min(chunk, places - begin));
          const logits = scaled.mm(keys.transpose(0, 1));
          const largest = logits.amax({ dim: [1] });
          const max = previous.max.maximum(largest);
          const fade = previous.max.sub(max).exp();
          const weights = logits.sub_(max.unsqueeze(1)).exp_();
          return {
            max,
            sum: previous.sum.mul(fade).add_(weights.sum([1])),
            expected: previous.expected.mul(fade.unsqueeze(1)).addmm_(weights, keys),
            hardest: previous.hardest.maximum(largest),
          };
        });
        for (const tensor of Object.values(previous)) if (tensor !== match) tensor.dispose();
      }
      return {
        positive: match,
        logSumExp: running.max.add(running.sum.log()),
        hardest: running.hardest,
        gradient: running.expected.div(running.sum.unsqueeze(1)).sub(positive).div(temperature),
      };
    }),
  );
}

export interface InfoNceLoss {
  /** Mean over the rows, differentiable in the queries. */
  loss: Tensor;
  /** Share of rows whose positive beats every negative. */
  accuracy: Tensor;
}

/**
 * InfoNCE (van den Oord et al. 2018; MoCo eq. 1): the mean over rows of
 * -log( e^{q.k+/t} / (e^{q.k+/t} + sum_n e^{q.n/t}) ). No gradient flows into keys.
 */
export function infoNce(input: InfoNceInput): InfoNceLoss {
  const rows = infoNceRows(input);
  const count = input.query.shape[0]!;
  const value = rows.logSumExp.sub(rows.positive).mean(null);
  return {
    loss: withKnownGradient(value, input.query, rows.gradient.div(count)),
    accuracy: rows.positive.ge(rows.hardest).toDType(input.query.dtype).mean(null),
  };
}
