import { z } from 'zod';
import type { Tensor } from '#libs/tensor';
import { infoNce } from '../info-nce.js';
import { Queue } from '../queue.js';
import type { Init } from '#libs/nn';
import type { ShardContext } from '../objective.js';

/** Options that every method with MoCo's instance term has. */
export const instanceOptions = {
  /** Length of the embedding. @default 128 */
  dim: z.int().positive().default(128),
  /** Hidden units of the head; 0 for as many as the trunk's last map has channels. @default 0 */
  hidden: z.int().nonnegative().default(0),
  /** Keys in the queue; a whole multiple of the batch. @default 65536 */
  queue: z.int().positive().default(65536),
  /** Temperature of every contrastive term. @default 0.2 */
  temperature: z.number().positive().default(0.2),
  /** How slowly the momentum encoder follows. @default 0.999 */
  momentum: z.number().min(0).max(1).default(0.999),
};

export interface InstanceOptions {
  dim: number;
  hidden: number;
  queue: number;
  temperature: number;
  momentum: number;
}

export function instanceMemory(init: Init, { queue, dim }: InstanceOptions): { queue: Queue } {
  return { queue: new Queue(init, 'queue', queue, dim) };
}

/**
 * MoCo's term: the embedding of the query view against that of the key view and the queue; the keys are written to
 * the queue after the step. Source: MoCo-v2, arXiv 2003.04297.
 */
export function instanceTerm(
  { student, teacher, memory }: ShardContext<unknown>,
  temperature: number,
): { loss: Tensor; accuracy: Tensor; spread: Tensor; keys: Tensor } {
  const query = student['query']!['embedding']!;
  const keys = teacher['key']!['embedding']!;
  const terms = infoNce({ query, positive: keys, negatives: memory['queue']!.entries, temperature });
  return { ...terms, spread: embeddingSpread(query), keys };
}

/**
 * How far apart the embeddings of a batch lie: sqrt(D) times the mean over dimensions of their standard deviation.
 * About 1 for directions spread evenly, 0 for a collapse.
 */
function embeddingSpread(embedding: Tensor): Tensor {
  const values = embedding.detach();
  const deviation = values
    .sub(values.mean([0], { keepdim: true }))
    .pow(2)
    .mean([0])
    .sqrt();
  return deviation.mean(null).mul(Math.sqrt(values.shape[1]!));
}
