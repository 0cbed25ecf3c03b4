// Colour operations. Each loop does in float and double exactly what Pillow's C does, in its order, so the results are
// equal; the loops are branch-free over small planar blocks, so that the compiler vectorises them.
#include <algorithm>
#include <cmath>
#include "kernels.h"

namespace resim {
namespace {

// Multiplied by instead of divided by: the same 8-bit results for every colour (compared over all 2^24 of them).
constexpr double kSixth = 1.0 / 6.0, kSixOf255 = 6.0 / 255.0, kOneOf255 = 1.0 / 255.0;
constexpr int kBlock = 256;  // pixels a block: its planes stay in the first-level cache

// ITU-R 601-2 luma in 16-bit fixed point, rounded: Pillow's "L".
inline int luma(int r, int g, int b) { return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16; }

// base + factor * (value - base) in float, cut off (not rounded) to 8 bits: Pillow's blend on either side of [0, 1].
inline uint8_t blend(int base, int value, float factor) {
  const float mixed = static_cast<float>(base) + factor * static_cast<float>(value - base);
  const float low = mixed < 0.0f ? 0.0f : mixed;
  return static_cast<uint8_t>(static_cast<int>(low > 255.0f ? 255.0f : low));
}

// The same base for every byte: brightness (0) and contrast (the mean).
RESIM_SIMD void blend_with(uint8_t* rgb, size_t bytes, int base, float factor) {
  for (size_t i = 0; i < bytes; i++) rgb[i] = blend(base, rgb[i], factor);
}

RESIM_SIMD uint64_t luma_sum(const uint8_t* rgb, size_t pixels) {
  uint64_t total = 0;
  for (size_t start = 0; start < pixels; start += kBlock) {
    const size_t n = std::min<size_t>(kBlock, pixels - start);
    const uint8_t* block = rgb + 3 * start;
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += luma(block[3 * i], block[3 * i + 1], block[3 * i + 2]);
    total += sum;
  }
  return total;
}

// Planes of one block. Hue, saturation and the sextant as 32-bit numbers.
struct Planes {
  int32_t r[kBlock], g[kBlock], b[kBlock];
};

inline void split(const uint8_t* rgb, size_t n, Planes& p) {
  for (size_t i = 0; i < n; i++) {
    p.r[i] = rgb[3 * i];
    p.g[i] = rgb[3 * i + 1];
    p.b[i] = rgb[3 * i + 2];
  }
}

inline void join(const Planes& p, size_t n, uint8_t* rgb) {
  for (size_t i = 0; i < n; i++) {
    rgb[3 * i] = static_cast<uint8_t>(p.r[i]);
    rgb[3 * i + 1] = static_cast<uint8_t>(p.g[i]);
    rgb[3 * i + 2] = static_cast<uint8_t>(p.b[i]);
  }
}

// RGB -> 8-bit HSV -> turned by `shift` of 256 -> RGB. The loss of two 8-bit conversions is part of the operation.
RESIM_SIMD void turn_hue(uint8_t* rgb, size_t pixels, int shift) {
  Planes p;
  for (size_t start = 0; start < pixels; start += kBlock) {
    const size_t n = std::min<size_t>(kBlock, pixels - start);
    uint8_t* block = rgb + 3 * start;
    split(block, n, p);
    for (size_t i = 0; i < n; i++) {
      const int r = p.r[i], g = p.g[i], b = p.b[i];
      const int high = std::max(r, std::max(g, b)), low = std::min(r, std::min(g, b));
      const int range = high - low;
      // A grey pixel divides by 1 instead of 0; its numerators are 0, and so are its hue and saturation.
      const float chroma = static_cast<float>(range == 0 ? 1 : range);
      const float rc = static_cast<float>(high - r) / chroma;
      const float gc = static_cast<float>(high - g) / chroma;
      const float bc = static_cast<float>(high - b) / chroma;
      const float from_red = bc - gc;
      const float from_green = static_cast<float>(2.0 + rc - bc);
      const float from_blue = static_cast<float>(4.0 + gc - rc);
      const float sextant = r == high ? from_red : g == high ? from_green : from_blue;
      const double turn = static_cast<double>(sextant) * kSixth + 1.0;
      const float fraction = static_cast<float>(turn >= 1.0 ? turn - 1.0 : turn);
      const int hue8 = static_cast<int>(static_cast<double>(fraction) * 255.0);
      const float ratio = static_cast<float>(range) / static_cast<float>(high == 0 ? 1 : high);
      const int saturation8 = static_cast<int>(static_cast<double>(ratio) * 255.0);

      const int turned = (hue8 + shift) & 255;
      const double position = static_cast<double>(turned) * kSixOf255;
      const int side = static_cast<int>(position);
      const float f = static_cast<float>(position - static_cast<double>(side));
      const float fs = static_cast<float>(static_cast<double>(saturation8) * kOneOf255);
      const double value = static_cast<double>(high);
      const int v = high;
      const int c0 = static_cast<int>(value * (1.0 - fs) + 0.5);
      const int c1 = static_cast<int>(value * (1.0 - static_cast<double>(fs * f)) + 0.5);
      const int c2 = static_cast<int>(value * (1.0 - fs * (1.0 - f)) + 0.5);
      p.r[i] = side == 1 ? c1 : side == 2 || side == 3 ? c0 : side == 4 ? c2 : v;
      p.g[i] = side == 1 || side == 2 ? v : side == 3 ? c1 : side == 4 || side == 5 ? c0 : c2;
      p.b[i] = side == 2 ? c2 : side == 3 || side == 4 ? v : side == 5 ? c1 : c0;
    }
    join(p, n, block);
  }
}

}  // namespace

void brightness(uint8_t* rgb, size_t pixels, float factor) { blend_with(rgb, 3 * pixels, 0, factor); }

void contrast(uint8_t* rgb, size_t pixels, float factor) {
  const double mean = static_cast<double>(luma_sum(rgb, pixels)) / static_cast<double>(pixels);
  blend_with(rgb, 3 * pixels, static_cast<int>(mean + 0.5), factor);
}

RESIM_SIMD void saturation(uint8_t* rgb, size_t pixels, float factor) {
  for (size_t i = 0; i < pixels; i++) {
    const int r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
    const int grey = luma(r, g, b);
    rgb[3 * i] = blend(grey, r, factor);
    rgb[3 * i + 1] = blend(grey, g, factor);
    rgb[3 * i + 2] = blend(grey, b, factor);
  }
}

void hue(uint8_t* rgb, size_t pixels, double shift) {
  turn_hue(rgb, pixels, static_cast<int>(shift * 255.0) & 255);
}

RESIM_SIMD void grayscale(uint8_t* rgb, size_t pixels) {
  for (size_t i = 0; i < pixels; i++) {
    const uint8_t grey = static_cast<uint8_t>(luma(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]));
    rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = grey;
  }
}

RESIM_SIMD void solarize(uint8_t* rgb, size_t pixels, int threshold) {
  for (size_t i = 0; i < 3 * pixels; i++) rgb[i] = rgb[i] < threshold ? rgb[i] : 255 - rgb[i];
}

}  // namespace resim
