#include <algorithm>
#include <cmath>
#include <cstring>
#include "kernels.h"

namespace resim {
namespace {

// A box of fractional radius in 24-bit fixed point: 2*radius+1 full weights and one `edge` weight on either side.
struct Box {
  int radius;
  uint32_t full, edge;
};

// Radius of the box whose three-fold repetition has the variance of the Gaussian (Gwosdek et al. 2011, eq. 7, 11, 14),
// and its weights; float and double where Pillow has them.
Box box_for(float sigma) {
  constexpr int passes = 3;
  const float variance = sigma * sigma / passes;
  const float length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const float whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  part /= 6 * (variance - (whole + 1) * (whole + 1));
  const float radius = whole + part;
  Box box;
  box.radius = static_cast<int>(radius);
  box.full = static_cast<uint32_t>(static_cast<float>(1 << 24) / (radius * 2 + 1));
  box.edge = ((1u << 24) - static_cast<uint32_t>(box.radius * 2 + 1) * box.full) / 2;
  return box;
}

inline uint8_t weigh(uint32_t middle, uint32_t ends, const Box& box) {
  return static_cast<uint8_t>((middle * box.full + ends * box.edge + (1u << 23)) >> 24);
}

// One pass over `bytes` positions whose neighbours lie `step` bytes apart. `in` may be read radius+1 steps to either
// side. Radius 0 and 1 cover sigma up to 2.4, which is every published recipe.
RESIM_SIMD void pass(const uint8_t* __restrict in, ptrdiff_t step, size_t bytes, const Box& given,
                     uint32_t* __restrict sums, uint8_t* __restrict out) {
  const Box box = given;
  if (box.radius == 0) {
    for (size_t i = 0; i < bytes; i++) {
      const uint8_t* at = in + i;
      out[i] = weigh(at[0], at[-step] + at[step], box);
    }
  } else if (box.radius == 1) {
    for (size_t i = 0; i < bytes; i++) {
      const uint8_t* at = in + i;
      out[i] = weigh(at[-step] + at[0] + at[step], at[-2 * step] + at[2 * step], box);
    }
  } else {
    std::memset(sums, 0, bytes * sizeof(uint32_t));
    for (ptrdiff_t d = -box.radius; d <= box.radius; d++) {
      const uint8_t* shifted = in + d * step;
      for (size_t i = 0; i < bytes; i++) sums[i] += shifted[i];
    }
    const ptrdiff_t far = (box.radius + 1) * step;
    for (size_t i = 0; i < bytes; i++) {
      const uint8_t* at = in + i;
      out[i] = weigh(sums[i], at[-far] + at[far], box);
    }
  }
}

// Three passes along one row: the row stands between copies of its end pixels.
void blur_row(uint8_t* row, int width, const Box& box, uint8_t* padded, uint32_t* sums) {
  const int margin = box.radius + 1;
  const size_t bytes = 3 * static_cast<size_t>(width);
  uint8_t* middle = padded + 3 * margin;
  std::memcpy(middle, row, bytes);
  for (int n = 0; n < 3; n++) {
    for (int m = 0; m < margin; m++) {
      std::memcpy(padded + 3 * m, middle, 3);
      std::memcpy(middle + bytes + 3 * m, middle + bytes - 3, 3);
    }
    pass(middle, 3, bytes, box, sums, row);
    if (n < 2) std::memcpy(middle, row, bytes);
  }
}

RESIM_SIMD void multiply_add(const float* __restrict in, float weight, size_t count, float* __restrict sum) {
  for (size_t i = 0; i < count; i++) sum[i] += weight * in[i];
}

}  // namespace

void pillow_blur(uint8_t* rgb, int height, int width, float sigma, Scratch& scratch) {
  const Box box = box_for(sigma);
  const int margin = box.radius + 1;
  const size_t row = 3 * static_cast<size_t>(width);
  const size_t padding = margin * std::max<size_t>(row, 3);
  scratch.first.resize(std::max(scratch.first.size(), row * height + 2 * padding));
  scratch.sums.resize(std::max(scratch.sums.size(), row));
  uint8_t* padded = scratch.first.data();
  for (int y = 0; y < height; y++) blur_row(rgb + y * row, width, box, padded, scratch.sums.data());

  uint8_t* middle = padded + padding;
  std::memcpy(middle, rgb, row * height);
  for (int n = 0; n < 3; n++) {
    for (int m = 0; m < margin; m++) {
      std::memcpy(padded + m * row, middle, row);
      std::memcpy(middle + (height + m) * row, middle + (height - 1) * row, row);
    }
    for (int y = 0; y < height; y++) {
      pass(middle + y * row, static_cast<ptrdiff_t>(row), row, box, scratch.sums.data(), rgb + y * row);
    }
    if (n < 2) std::memcpy(middle, rgb, row * height);
  }
}

void gaussian_blur(uint8_t* rgb, int height, int width, float sigma, Scratch& scratch) {
  const int radius = static_cast<int>(std::ceil(4.0f * sigma));
  std::vector<float> weights(2 * radius + 1);
  double total = 0;
  for (int d = -radius; d <= radius; d++) total += std::exp(-0.5 * d * d / (static_cast<double>(sigma) * sigma));
  for (int d = -radius; d <= radius; d++) {
    weights[d + radius] = static_cast<float>(std::exp(-0.5 * d * d / (static_cast<double>(sigma) * sigma)) / total);
  }
  const size_t row = 3 * static_cast<size_t>(width);
  // Down the columns into `down`, then along the rows from a padded copy of each row.
  auto& down = scratch.floats;
  auto& line = scratch.more_floats;
  down.resize(std::max(down.size(), row * height));
  line.resize(std::max(line.size(), 2 * row + 6 * static_cast<size_t>(radius)));
  float* wide = line.data();
  float* sum = wide + row + 6 * radius;
  for (int y = 0; y < height; y++) {
    float* target = down.data() + y * row;
    std::fill(target, target + row, 0.0f);
    for (int d = -radius; d <= radius; d++) {
      const uint8_t* source = rgb + std::clamp(y + d, 0, height - 1) * row;
      for (size_t i = 0; i < row; i++) wide[i] = source[i];
      multiply_add(wide, weights[d + radius], row, target);
    }
  }
  for (int y = 0; y < height; y++) {
    const float* source = down.data() + y * row;
    for (int x = -radius; x < width + radius; x++) {
      std::memcpy(wide + 3 * (x + radius), source + 3 * std::clamp(x, 0, width - 1), 3 * sizeof(float));
    }
    std::fill(sum, sum + row, 0.0f);
    for (int d = 0; d <= 2 * radius; d++) multiply_add(wide + 3 * d, weights[d], row, sum);
    for (size_t i = 0; i < row; i++) {
      rgb[y * row + i] = static_cast<uint8_t>(std::clamp(sum[i] + 0.5f, 0.0f, 255.0f));
    }
  }
}

}  // namespace resim
