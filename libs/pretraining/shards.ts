import { KeyedRandom, RandomPurpose } from '#libs/core';
import { tensor, type Tensor } from '#libs/tensor';

/**
 * Emulated devices. The published runs spread a batch over 8 GPUs: batch statistics are those of one GPU's images,
 * and the keys are shuffled over the GPUs before they are encoded, so that no image can be recognised by whose
 * statistics it shares (MoCo, section 3.3). `shards: S` does the same on one device, a shard after the other.
 */

/** Order in which the teacher encodes the rows of a batch: place i is row `order[i]`. A function of (seed, step). */
export function keyShuffle(seed: number, step: number, batchSize: number): Int32Array {
  return new KeyedRandom(seed, { purpose: RandomPurpose.shards, sample: step }).permutation(batchSize);
}

/**
 * The samples of a tensor in another order; the original order comes back with `inverse`.
 * @param rows one or several rows for each sample, `[N * perSample, ...]`
 */
export function takeRows(rows: Tensor, order: Int32Array): Tensor {
  const perSample = rows.shape[0]! / order.length;
  const places = Array.from(order).flatMap((sample) =>
    Array.from({ length: perSample }, (_, row) => BigInt(sample * perSample + row)),
  );
  const index = tensor(BigInt64Array.from(places), [places.length]).toDevice(rows.device, 'int64');
  return rows.indexSelect(0, index);
}

export function inverse(order: Int32Array): Int32Array {
  const result = new Int32Array(order.length);
  order.forEach((row, place) => (result[row] = place));
  return result;
}

/** The rows of some samples, of a tensor with one or several rows for each of `count`. */
export function sampleRows(rows: Tensor, count: number, first: number, samples: number): Tensor {
  const perSample = rows.shape[0]! / count;
  return rows.narrow(0, first * perSample, samples * perSample);
}
