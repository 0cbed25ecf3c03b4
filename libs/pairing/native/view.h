// A whole view in one call: crop, flip and resize, then the operations of its plan, in their order.
#pragma once
#include <cstddef>
#include <cstdint>
#include "kernels.h"

namespace resim {

// The plan as numbers, the same on both sides of the bridge (libs/pairing/plan.ts): eight numbers of the crop
// (mirrorSource, top, left, height, width, size, mirrorOutput, operations), then (operation, value) for each.
constexpr size_t kPlanHeader = 8;
enum Operation { kBrightness = 1, kContrast, kSaturation, kHue, kGrayscale, kPillowBlur, kGaussianBlur, kSolarize };

// Side of the view that `plan` makes. Throws std::invalid_argument for a plan that does not fit the image.
int check_plan(const double* plan, size_t length, int height, int width);

// `out` holds side x side x 3 bytes. The plan has passed check_plan.
void make_view(const uint8_t* image, int height, int width, const double* plan, uint8_t* out, Scratch& scratch);

// One operation on height x width x 3 pixels in place; its value has passed check_operation.
void check_operation(double operation, double value);
void apply_operation(uint8_t* rgb, int height, int width, double operation, double value, Scratch& scratch);

}  // namespace resim
