import { readFileSync } from 'node:fs';

/** Instructions that multiply bf16 numbers; without them bf16 is slower than fp32 on a CPU. */
const BF16_INSTRUCTIONS = /\b(avx512_bf16|amx_bf16|bf16)\b/;

let known: boolean | undefined;

/** Whether this machine's CPU multiplies bf16 in hardware. */
export function cpuHasBf16(): boolean {
  if (known === undefined) {
    try {
      known = BF16_INSTRUCTIONS.test(readFileSync('/proc/cpuinfo', 'utf8'));
    } catch {
      known = false;
    }
  }
  return known;
}

/** Whether to compute convolutions and products in bf16. */
export function useBf16(precision: 'auto' | 'bf16' | 'fp32', device: string): boolean {
  return precision === 'bf16' || (precision === 'auto' && (device !== 'cpu' || cpuHasBf16()));
}
