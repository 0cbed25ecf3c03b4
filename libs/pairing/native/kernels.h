// Image kernels on interleaved 8-bit RGB. All of them equal Pillow 9.4 bit for bit where a comment says so, because
// the published models were trained on what Pillow makes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

// One binary for every x86-64: the compiler makes a version per instruction set and the loader picks one. Levels and not
// the names of processors: a name matches one maker's processors only.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define RESIM_SIMD __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define RESIM_SIMD __attribute__((target_clones("default", "avx2")))
#endif
#else
#define RESIM_SIMD
#endif

namespace resim {

// Part of an image. `mirror_source`: the box is counted in the horizontally mirrored image. `mirror_output`: the
// result is mirrored after resampling. Both cost nothing: they only reorder the table of weights.
struct Crop {
  int top, left, height, width;
  bool mirror_source, mirror_output;
};

// Buffers that live as long as the thread, so that a view allocates nothing.
struct Scratch {
  std::vector<uint8_t> first, second;
  std::vector<uint32_t> sums;
  std::vector<float> floats, more_floats;
};

// Antialiased bilinear resampling of a crop to size x size (Pillow's two passes: rows first, 8 bits in between,
// weights in 22-bit fixed point). `image` is height x width x 3, `out` size x size x 3.
void resample(const uint8_t* image, int height, int width, const Crop& crop, int size, uint8_t* out, Scratch& scratch);

// In-place colour operations on `pixels` RGB triples, as Pillow's ImageEnhance and torchvision on it.
void brightness(uint8_t* rgb, size_t pixels, float factor);
void contrast(uint8_t* rgb, size_t pixels, float factor);
void saturation(uint8_t* rgb, size_t pixels, float factor);
void hue(uint8_t* rgb, size_t pixels, double shift);  // shift in turns, -0.5 to 0.5
void grayscale(uint8_t* rgb, size_t pixels);
void solarize(uint8_t* rgb, size_t pixels, int threshold);

// In-place blur of height x width x 3, sigma in pixels. `pillow_blur`: six box passes, each rounded to 8 bits.
// `gaussian_blur`: the true Gaussian, edges repeated.
void pillow_blur(uint8_t* rgb, int height, int width, float sigma, Scratch& scratch);
void gaussian_blur(uint8_t* rgb, int height, int width, float sigma, Scratch& scratch);

}  // namespace resim
