#include <algorithm>
#include <cmath>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include "kernels.h"

namespace resim {
namespace {

constexpr int kBits = 22;  // Pillow's PRECISION_BITS for 8-bit images: 32 - 8 - 2

// Weights of one axis: output i reads `count[i]` consecutive inputs from `start[i]`.
struct Weights {
  int taps = 0;
  std::vector<int> start, count;
  std::vector<int32_t> value;  // outputs x taps, zero beyond count[i]
};

// Triangle filter over [0, in) to `out` outputs. The order of the floating-point operations is Pillow's.
void make_weights(int in, int out, Weights& w) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;
  const double inverse = 1.0 / filter_scale;
  w.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  w.start.assign(out, 0);
  w.count.assign(out, 0);
  w.value.assign(static_cast<size_t>(out) * w.taps, 0);
  std::vector<double> raw(w.taps);
  for (int i = 0; i < out; i++) {
    const double center = (i + 0.5) * scale;
    const int low = std::max(static_cast<int>(center - support + 0.5), 0);
    const int high = std::min(static_cast<int>(center + support + 0.5), in);
    double sum = 0;
    for (int j = low; j < high; j++) {
      const double distance = std::fabs((j - center + 0.5) * inverse);
      raw[j - low] = distance < 1.0 ? 1.0 - distance : 0.0;
      sum += raw[j - low];
    }
    w.start[i] = low;
    w.count[i] = high - low;
    for (int j = 0; j < high - low; j++) {
      const double share = sum != 0.0 ? raw[j] / sum : raw[j];
      w.value[static_cast<size_t>(i) * w.taps + j] = static_cast<int32_t>(0.5 + share * (1 << kBits));
    }
  }
}

// The same sums over the mirrored axis: integers add in any order, so reversing the taps changes no bit.
void mirror_inputs(int in, Weights& w) {
  for (size_t i = 0; i < w.start.size(); i++) {
    int32_t* row = &w.value[i * w.taps];
    std::reverse(row, row + w.count[i]);
    w.start[i] = in - w.start[i] - w.count[i];
  }
}

void mirror_outputs(Weights& w) {
  const size_t out = w.start.size();
  for (size_t i = 0; i < out / 2; i++) {
    std::swap(w.start[i], w.start[out - 1 - i]);
    std::swap(w.count[i], w.count[out - 1 - i]);
    std::swap_ranges(&w.value[i * w.taps], &w.value[i * w.taps] + w.taps, &w.value[(out - 1 - i) * w.taps]);
  }
}

inline uint8_t clip(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

void rows_plain(const uint8_t* in, int row_bytes, int rows, const Weights& w, uint8_t* out) {
  const int size = static_cast<int>(w.start.size());
  for (int y = 0; y < rows; y++, in += row_bytes) {
    for (int x = 0; x < size; x++, out += 3) {
      const uint8_t* pixel = in + 3 * w.start[x];
      const int32_t* weight = &w.value[static_cast<size_t>(x) * w.taps];
      int32_t r = 1 << (kBits - 1), g = r, b = r;
      for (int j = 0; j < w.count[x]; j++, pixel += 3) {
        r += pixel[0] * weight[j];
        g += pixel[1] * weight[j];
        b += pixel[2] * weight[j];
      }
      out[0] = clip(r);
      out[1] = clip(g);
      out[2] = clip(b);
    }
  }
}

#if defined(__x86_64__)
// Two rows at a time, one per half of the register; four bytes of a pixel are widened to four 32-bit sums.
// Reads one byte past a pixel, so the caller leaves the image's last row to the plain version.
__attribute__((target("avx2"))) void rows_avx2(const uint8_t* in, int row_bytes, int rows, const Weights& w,
                                               uint8_t* out) {
  const int size = static_cast<int>(w.start.size());
  const __m256i half = _mm256_set1_epi32(1 << (kBits - 1));
  const __m256i spread = _mm256_setr_epi8(0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, -1, -1, -1, -1,  //
                                          0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, -1, -1, -1, -1);
  const int out_bytes = 3 * size;
  int y = 0;
  for (; y + 1 < rows; y += 2) {
    const uint8_t* upper = in + static_cast<size_t>(y) * row_bytes;
    const uint8_t* lower = upper + row_bytes;
    uint8_t* out_upper = out + static_cast<size_t>(y) * out_bytes;
    uint8_t* out_lower = out_upper + out_bytes;
    for (int x = 0; x < size; x++) {
      const uint8_t* a = upper + 3 * w.start[x];
      const uint8_t* b = lower + 3 * w.start[x];
      const int32_t* weight = &w.value[static_cast<size_t>(x) * w.taps];
      __m256i sum = half;
      for (int j = 0, n = w.count[x]; j < n; j++, a += 3, b += 3) {
        int32_t pa, pb;
        std::memcpy(&pa, a, 4);
        std::memcpy(&pb, b, 4);
        const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_cvtsi32_si128(pa)),
                                                     _mm_cvtsi32_si128(pb), 1);
        const __m256i wide = _mm256_shuffle_epi8(both, spread);
        sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(wide, _mm256_set1_epi32(weight[j])));
      }
      sum = _mm256_srai_epi32(sum, kBits);
      const __m256i words = _mm256_packus_epi32(sum, sum);
      const __m256i bytes = _mm256_packus_epi16(words, words);
      const int32_t ra = _mm_cvtsi128_si32(_mm256_castsi256_si128(bytes));
      const int32_t rb = _mm_cvtsi128_si32(_mm256_extracti128_si256(bytes, 1));
      std::memcpy(out_upper + 3 * x, &ra, 3);
      std::memcpy(out_lower + 3 * x, &rb, 3);
    }
  }
  if (y < rows) rows_plain(in + static_cast<size_t>(y) * row_bytes, row_bytes, 1, w, out + static_cast<size_t>(y) * out_bytes);
}
#endif

void resample_rows(const uint8_t* in, int row_bytes, int rows, const Weights& w, uint8_t* out, bool may_read_past) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) {
    const int safe = may_read_past ? rows : rows - 1;
    rows_avx2(in, row_bytes, safe, w, out);
    const size_t done = static_cast<size_t>(safe);
    rows_plain(in + done * row_bytes, row_bytes, rows - safe, w, out + done * w.start.size() * 3);
    return;
  }
#endif
  (void)may_read_past;
  rows_plain(in, row_bytes, rows, w, out);
}

// One output row: weighted sum of `count` input rows, `bytes` wide.
RESIM_SIMD void blend_rows(const uint8_t* in, size_t stride, int count, const int32_t* weight, size_t bytes,
                           int32_t* __restrict sum, uint8_t* __restrict out) {
  for (size_t i = 0; i < bytes; i++) sum[i] = (1 << (kBits - 1)) + in[i] * weight[0];
  int j = 1;
  for (; j + 1 < count; j += 2) {
    const uint8_t* __restrict a = in + j * stride;
    const uint8_t* __restrict b = a + stride;
    const int32_t wa = weight[j], wb = weight[j + 1];
    for (size_t i = 0; i < bytes; i++) sum[i] += a[i] * wa + b[i] * wb;
  }
  if (j < count) {
    const uint8_t* __restrict a = in + j * stride;
    const int32_t wa = weight[j];
    for (size_t i = 0; i < bytes; i++) sum[i] += a[i] * wa;
  }
  for (size_t i = 0; i < bytes; i++) {
    const int32_t value = sum[i] >> kBits;
    out[i] = static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
  }
}

}  // namespace

void resample(const uint8_t* image, int height, int width, const Crop& crop, int size, uint8_t* out,
              Scratch& scratch) {
  thread_local Weights across, down;
  const size_t out_bytes = static_cast<size_t>(size) * 3;
  const int row_bytes = width * 3;
  // Columns of the file's image, whatever frame the crop was counted in.
  const int left = crop.mirror_source ? width - crop.left - crop.width : crop.left;
  const bool mirrored = crop.mirror_source != crop.mirror_output;
  const bool needs_rows = crop.width != size || mirrored;
  const bool needs_columns = crop.height != size;

  if (needs_columns) make_weights(crop.height, size, down);
  const int first = needs_columns ? down.start[0] : 0;
  const int last = needs_columns ? down.start[size - 1] + down.count[size - 1] : crop.height;
  const uint8_t* source = image + static_cast<size_t>(crop.top + first) * row_bytes + static_cast<size_t>(left) * 3;
  size_t stride = row_bytes;

  if (needs_rows) {
    make_weights(crop.width, size, across);
    if (crop.mirror_source) mirror_inputs(crop.width, across);
    if (crop.mirror_output) mirror_outputs(across);
    uint8_t* target = out;
    if (needs_columns) {
      // Four spare bytes let the vector versions store whole words.
      scratch.first.resize(std::max(scratch.first.size(), out_bytes * (last - first) + 4));
      target = scratch.first.data();
    }
    const bool inside = crop.top + last < height;
    resample_rows(source, row_bytes, last - first, across, target, inside);
    source = target;
    stride = out_bytes;
  }
  if (needs_columns) {
    scratch.sums.resize(std::max(scratch.sums.size(), out_bytes));
    for (int y = 0; y < size; y++) {
      blend_rows(source + static_cast<size_t>(down.start[y] - first) * stride, stride, down.count[y],
                 &down.value[static_cast<size_t>(y) * down.taps], out_bytes,
                 reinterpret_cast<int32_t*>(scratch.sums.data()), out + y * out_bytes);
    }
  } else if (!needs_rows) {
    for (int y = 0; y < size; y++) std::memcpy(out + y * out_bytes, source + y * stride, out_bytes);
  }
}

}  // namespace resim
