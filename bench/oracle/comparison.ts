/** One quantity of a recorded case beside ours. */
export interface Comparison {
  quantity: string;
  error: number;
  tolerance: number;
}

export function passes({ error, tolerance }: Comparison): boolean {
  // A NaN must fail.
  return error <= tolerance;
}

/** Largest |a - b| over all places. @throws RangeError when the lengths differ */
export function maxAbs(ours: ArrayLike<number | bigint>, theirs: ArrayLike<number | bigint>): number {
  if (ours.length !== theirs.length)
    throw new RangeError(`${ours.length} values beside ${theirs.length} recorded ones`);
  let worst = 0;
  for (let place = 0; place < ours.length; place++) {
    const difference = Math.abs(Number(ours[place]) - Number(theirs[place]));
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** Length of a - b over the length of b. */
export function relativeL2(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length)
    throw new RangeError(`${ours.length} values beside ${theirs.length} recorded ones`);
  let [difference, length] = [0, 0];
  for (let place = 0; place < ours.length; place++) {
    difference += (ours[place]! - theirs[place]!) ** 2;
    length += theirs[place]! ** 2;
  }
  return Math.sqrt(difference / Math.max(length, Number.MIN_VALUE));
}

/** Largest |b|. */
export function magnitude(values: ArrayLike<number | bigint>): number {
  let largest = 0;
  for (let place = 0; place < values.length; place++)
    largest = Math.max(largest, Math.abs(Number(values[place])));
  return largest;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
