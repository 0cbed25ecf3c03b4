#include "view.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace resim {
namespace {

constexpr int kLargestView = 8192;
constexpr int kMostOperations = 64;
constexpr size_t kLargestBuffer = size_t{1} << 30;

int whole(double value, int low, int high, const char* what) {
  if (!(value >= low && value <= high) || value != std::floor(value)) {
    throw std::invalid_argument(std::string(what) + " must be a whole number from " + std::to_string(low) + " to " +
                                std::to_string(high));
  }
  return static_cast<int>(value);
}

void between(double value, double low, double high, const char* what) {
  if (!(value >= low && value <= high)) {
    throw std::invalid_argument(std::string(what) + " must be from " + std::to_string(low) + " to " +
                                std::to_string(high));
  }
}

}  // namespace

void check_operation(double operation, double value) {
  switch (whole(operation, kBrightness, kSolarize, "operation")) {
    case kBrightness:
    case kContrast:
    case kSaturation:
      return between(value, 0, 1000, "factor");
    case kHue:
      return between(value, -0.5, 0.5, "hue shift");
    case kPillowBlur:
    case kGaussianBlur:
      return between(value, 0, 64, "sigma");
    case kSolarize:
      whole(value, 0, 256, "threshold");
      return;
    default:
      return;
  }
}

int check_plan(const double* plan, size_t length, int height, int width) {
  if (length < kPlanHeader) throw std::invalid_argument("a plan has at least 8 numbers");
  whole(plan[0], 0, 1, "mirrorSource");
  const int crop_height = whole(plan[3], 1, height, "crop height");
  const int crop_width = whole(plan[4], 1, width, "crop width");
  whole(plan[1], 0, height - crop_height, "crop top");
  whole(plan[2], 0, width - crop_width, "crop left");
  const int size = whole(plan[5], 1, kLargestView, "size");
  whole(plan[6], 0, 1, "mirrorOutput");
  const int operations = whole(plan[7], 0, kMostOperations, "operations");
  if (length != kPlanHeader + 2 * static_cast<size_t>(operations)) {
    throw std::invalid_argument("a plan has two numbers an operation");
  }
  if (static_cast<size_t>(size) * 3 * crop_height > kLargestBuffer) {
    throw std::invalid_argument("the crop is too tall for a view of this size");
  }
  for (int i = 0; i < operations; i++) check_operation(plan[kPlanHeader + 2 * i], plan[kPlanHeader + 2 * i + 1]);
  return size;
}

void apply_operation(uint8_t* rgb, int height, int width, double operation, double value, Scratch& scratch) {
  const size_t pixels = static_cast<size_t>(height) * width;
  const float factor = static_cast<float>(value);
  switch (static_cast<Operation>(static_cast<int>(operation))) {
    case kBrightness:
      return brightness(rgb, pixels, factor);
    case kContrast:
      return contrast(rgb, pixels, factor);
    case kSaturation:
      return saturation(rgb, pixels, factor);
    case kHue:
      return hue(rgb, pixels, value);
    case kGrayscale:
      return grayscale(rgb, pixels);
    case kPillowBlur:
      return value == 0 ? void() : pillow_blur(rgb, height, width, factor, scratch);
    case kGaussianBlur:
      return value == 0 ? void() : gaussian_blur(rgb, height, width, factor, scratch);
    case kSolarize:
      return solarize(rgb, pixels, static_cast<int>(value));
  }
}

void make_view(const uint8_t* image, int height, int width, const double* plan, uint8_t* out, Scratch& scratch) {
  const Crop crop{static_cast<int>(plan[1]), static_cast<int>(plan[2]), static_cast<int>(plan[3]),
                  static_cast<int>(plan[4]), plan[0] != 0,             plan[6] != 0};
  const int size = static_cast<int>(plan[5]);
  resample(image, height, width, crop, size, out, scratch);
  const int operations = static_cast<int>(plan[7]);
  for (int i = 0; i < operations; i++) {
    apply_operation(out, size, size, plan[kPlanHeader + 2 * i], plan[kPlanHeader + 2 * i + 1], scratch);
  }
}

}  // namespace resim
