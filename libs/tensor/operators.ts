/**
 * The operators that the project uses: one row each. Adding one is a row here and `npm run gen:operators`; the
 * arguments, their types and their defaults come from libtorch's own schema.
 */
export interface OperatorRow {
  /** Name in ATen, with the overload: `aten::add.Tensor`. */
  aten: string;
  /** The overload that takes a number where `aten` takes a second tensor. */
  scalar?: string;
  /** `function` where the input is not the natural subject; else it is a method of its first argument. */
  kind?: 'function';
  /** What it gives, with shapes. */
  doc: string;
}

export const OPERATORS: Record<string, OperatorRow> = {
  // Arithmetic, element by element; shapes broadcast.
  add: {
    aten: 'aten::add.Tensor',
    scalar: 'aten::add.Scalar',
    doc: 'self + alpha * other. `[...] -> [...]`',
  },
  sub: {
    aten: 'aten::sub.Tensor',
    scalar: 'aten::sub.Scalar',
    doc: 'self - alpha * other. `[...] -> [...]`',
  },
  mul: { aten: 'aten::mul.Tensor', scalar: 'aten::mul.Scalar', doc: 'self * other. `[...] -> [...]`' },
  div: { aten: 'aten::div.Tensor', scalar: 'aten::div.Scalar', doc: 'self / other. `[...] -> [...]`' },
  pow: { aten: 'aten::pow.Tensor_Scalar', doc: 'self to a power. `[...] -> [...]`' },
  neg: { aten: 'aten::neg', doc: '-self. `[...] -> [...]`' },
  abs: { aten: 'aten::abs', doc: '|self|. `[...] -> [...]`' },
  exp: { aten: 'aten::exp', doc: 'e to the power of self. `[...] -> [...]`' },
  log: { aten: 'aten::log', doc: 'Natural logarithm. `[...] -> [...]`' },
  sqrt: { aten: 'aten::sqrt', doc: 'Square root. `[...] -> [...]`' },
  reciprocal: { aten: 'aten::reciprocal', doc: '1 / self. `[...] -> [...]`' },
  clamp: { aten: 'aten::clamp', doc: 'self held between min and max; null for no limit. `[...] -> [...]`' },
  maximum: { aten: 'aten::maximum', doc: 'The larger of two. `[...] -> [...]`' },
  relu: { aten: 'aten::relu', doc: 'max(self, 0). `[...] -> [...]`' },

  // The same in place: the tensor itself changes and is returned.
  add_: { aten: 'aten::add_.Tensor', scalar: 'aten::add_.Scalar', doc: 'self += alpha * other, in place.' },
  sub_: { aten: 'aten::sub_.Tensor', scalar: 'aten::sub_.Scalar', doc: 'self -= alpha * other, in place.' },
  mul_: { aten: 'aten::mul_.Tensor', scalar: 'aten::mul_.Scalar', doc: 'self *= other, in place.' },
  div_: { aten: 'aten::div_.Tensor', scalar: 'aten::div_.Scalar', doc: 'self /= other, in place.' },
  relu_: { aten: 'aten::relu_', doc: 'max(self, 0), in place.' },
  exp_: { aten: 'aten::exp_', doc: 'e to the power of self, in place.' },
  copy_: {
    aten: 'aten::copy_',
    doc: 'Takes over the values of src, converted to its own dtype and device, in place.',
  },
  zero_: { aten: 'aten::zero_', doc: 'All values 0, in place.' },
  normal_: { aten: 'aten::normal_', doc: 'Draws every value from a normal distribution, in place.' },
  uniform_: { aten: 'aten::uniform_', doc: 'Draws every value from U[from, to), in place.' },

  // Comparisons give bool tensors.
  ge: { aten: 'aten::ge.Tensor', scalar: 'aten::ge.Scalar', doc: 'self >= other as bool. `[...] -> [...]`' },
  gt: { aten: 'aten::gt.Tensor', scalar: 'aten::gt.Scalar', doc: 'self > other as bool. `[...] -> [...]`' },
  lt: { aten: 'aten::lt.Tensor', scalar: 'aten::lt.Scalar', doc: 'self < other as bool. `[...] -> [...]`' },
  where: {
    aten: 'aten::where.self',
    kind: 'function',
    doc: 'self where the condition holds, else other. `[...] -> [...]`',
  },

  // Reductions; `dim` null reduces everything to a scalar.
  sum: { aten: 'aten::sum.dim_IntList', doc: 'Sum over dimensions; all of them when `dim` is null.' },
  mean: { aten: 'aten::mean.dim', doc: 'Mean over dimensions; of everything when `dim` is null.' },
  amax: { aten: 'aten::amax', doc: 'Largest value over dimensions.' },
  norm: { aten: 'aten::linalg_vector_norm', doc: 'Vector norm of order `ord` over dimensions.' },
  sort: { aten: 'aten::sort', doc: 'Sorted values and their int64 places along a dimension.' },

  // Shape: no values are copied unless it says so.
  reshape: {
    aten: 'aten::reshape',
    doc: 'The same values in another shape; one size may be -1. Copies when it must.',
  },
  permute: { aten: 'aten::permute', doc: 'Dimensions in another order.' },
  transpose: { aten: 'aten::transpose.int', doc: 'Two dimensions exchanged.' },
  flatten: { aten: 'aten::flatten.using_ints', doc: 'Dimensions start_dim to end_dim as one.' },
  unsqueeze: { aten: 'aten::unsqueeze', doc: 'A new dimension of size 1.' },
  select: { aten: 'aten::select.int', doc: 'One entry of a dimension, without that dimension.' },
  narrow: { aten: 'aten::narrow', doc: 'A run of entries of a dimension, as a view.' },
  contiguous: {
    aten: 'aten::contiguous',
    doc: 'The same tensor with its values in the given memory format; copies when they are not.',
  },
  clone: { aten: 'aten::clone', doc: 'A copy.' },
  detach: { aten: 'aten::detach', doc: 'The same values, cut off from the recording of gradients.' },

  // Entries by index.
  indexSelect: { aten: 'aten::index_select', doc: 'Entries of a dimension by int64 index `[K]`; copies.' },
  indexCopy_: { aten: 'aten::index_copy_', doc: 'Writes entries of a dimension by int64 index, in place.' },
  cat: { aten: 'aten::cat', kind: 'function', doc: 'Tensors one after the other along a dimension; copies.' },
  stack: {
    aten: 'aten::stack',
    kind: 'function',
    doc: 'Tensors of one shape along a new dimension; copies.',
  },

  // Conversions.
  toDType: {
    aten: 'aten::to.dtype',
    doc: 'The same values in another dtype; the same tensor when it has that already.',
  },
  toDevice: { aten: 'aten::to.device', doc: 'The same values on another device, in a dtype.' },

  // Products.
  mm: { aten: 'aten::mm', doc: '`[n, k] x [k, m] -> [n, m]`' },
  bmm: { aten: 'aten::bmm', doc: '`[B, n, k] x [B, k, m] -> [B, n, m]`' },
  addmm_: {
    aten: 'aten::addmm_',
    doc: 'self = beta * self + alpha * mat1 mat2, in place. `[n, k] x [k, m] -> [n, m]`',
  },

  // Layers.
  conv2d: {
    aten: 'aten::conv2d',
    kind: 'function',
    doc: 'Cross-correlation. input `[N, C, H, W]`, weight `[K, C / groups, h, w]`, bias `[K]` -> `[N, K, H2, W2]`',
  },
  linear: {
    aten: 'aten::linear',
    kind: 'function',
    doc: 'input weight^T + bias. `[..., C]`, `[K, C]`, `[K]` -> `[..., K]`',
  },
  batchNorm: {
    aten: 'aten::batch_norm',
    kind: 'function',
    doc:
      'Normalises every channel by its own mean and variance over N, H, W (training) or by the running ones, which ' +
      'training updates in place. `[N, C, H, W] -> [N, C, H, W]`',
  },
  maxPool2d: {
    aten: 'aten::max_pool2d',
    kind: 'function',
    doc: 'Largest value of every window. `[N, C, H, W] -> [N, C, H2, W2]`',
  },
  avgPool2d: {
    aten: 'aten::avg_pool2d',
    kind: 'function',
    doc: 'Mean of every window. `[N, C, H, W] -> [N, C, H2, W2]`',
  },
  upsampleNearest2d: {
    aten: 'aten::upsample_nearest2d',
    kind: 'function',
    doc: 'Enlarges by repeating the nearest value. `[N, C, H, W] -> [N, C, output_size]`',
  },
  crossEntropyLoss: {
    aten: 'aten::cross_entropy_loss',
    kind: 'function',
    doc: 'Mean of -log softmax at the target class. logits `[N, C]`, targets int64 `[N]` -> `[]`',
  },

  // New tensors.
  zeros: { aten: 'aten::zeros', kind: 'function', doc: 'All 0, of the given shape.' },
  ones: { aten: 'aten::ones', kind: 'function', doc: 'All 1, of the given shape.' },
  full: { aten: 'aten::full', kind: 'function', doc: 'All of one value, of the given shape.' },
  empty: {
    aten: 'aten::empty.memory_format',
    kind: 'function',
    doc: 'Of the given shape, values undefined until written.',
  },
  arange: {
    aten: 'aten::arange.start_step',
    kind: 'function',
    doc: 'start, start + step, … below end. `-> [n]`',
  },
  zerosLike: {
    aten: 'aten::zeros_like',
    doc: 'All 0, of the shape, dtype, device and memory format of self.',
  },
};
