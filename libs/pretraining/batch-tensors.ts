import { ResimError, show } from '#libs/core';
import type { Batch } from '#libs/pairing';
import { keep, tensor, tidy, type DType, type Tensor } from '#libs/tensor';
import type { ShardRegions } from './objective.js';

/** ImageNet's statistics, of values in [0, 1]; every published trunk was trained with them. */
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

/** Makes the tensors of a run out of its batches, in one dtype on one device. */
export class BatchTensors {
  private readonly dtype: DType;
  private readonly device: string;
  private readonly mean: Tensor;
  private readonly std: Tensor;

  constructor({ dtype, device }: { dtype: DType; device: string }) {
    this.dtype = dtype;
    this.device = device;
    const channels = (values: number[]) =>
      keep(tensor(values, [1, 3, 1, 1], { dtype: 'float64' }).toDevice(device, dtype));
    this.mean = channels(MEAN);
    this.std = channels(STD);
  }

  /**
   * One view of a batch, uint8 `[N * perSample, S, S, 3]` -> normalised `[N * perSample, 3, S, S]`, channels last.
   * @throws ResimError INTERNAL when the batch has no such view
   */
  images(batch: Batch, view: string): Tensor {
    const found = batch.views.find(({ name }) => name === view);
    if (!found) throw new ResimError('INTERNAL', `the batch has no view ${show(view)}`);
    return tidy(() =>
      tensor(found.pixels, [batch.count * (found.perSample ?? 1), found.size, found.size, 3], { share: true })
        .permute([0, 3, 1, 2])
        .toDevice(this.device, 'uint8')
        .toDType(this.dtype)
        .div_(255)
        .sub_(this.mean)
        .div_(this.std),
    );
  }

  /** The windows of some rows of a batch, by level; boxes `[rows, R, 4]`, x0, y0, x1, y1 in pixels of their view. */
  regions(batch: Batch, firstRow: number, rows: number): Record<string, ShardRegions> {
    return Object.fromEntries(
      batch.regions.map(({ level, count, query, key, valid }) => {
        const boxes = (values: Float32Array) => {
          const own = values.subarray(firstRow * count * 4, (firstRow + rows) * count * 4);
          return tensor(own, [rows, count, 4]).toDevice(this.device, 'float32');
        };
        const kept: bigint[] = [];
        valid.subarray(firstRow * count, (firstRow + rows) * count).forEach((flag, place) => {
          if (flag) kept.push(BigInt(place));
        });
        const places = tensor(BigInt64Array.from(kept), [kept.length]).toDevice(this.device, 'int64');
        return [
          level,
          {
            query: boxes(query),
            key: boxes(key),
            valid: places,
            validCount: kept.length,
            count: rows * count,
          },
        ];
      }),
    );
  }

  dispose(): void {
    this.mean.dispose();
    this.std.dispose();
  }
}
