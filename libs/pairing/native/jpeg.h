// JPEG decoding through libjpeg-turbo's TurboJPEG interface, taken at run time from the library that the npm package
// @julusian/jpeg-turbo ships. The package's own binding asks for the fast, inexact inverse DCT; this one asks for the
// exact one, which is what Pillow and torchvision decode with.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace resim {

struct JpegHeader {
  int width, height;
  bool cmyk;
};

// Loads the shared library once a process; false when the path is no TurboJPEG.
bool load_turbojpeg(const std::string& path);

// Both throw std::runtime_error with libjpeg's own words.
JpegHeader jpeg_header(const uint8_t* data, size_t bytes);
// `out` holds height x width x 3 bytes of the size that jpeg_header gave.
void jpeg_decode(const uint8_t* data, size_t bytes, const JpegHeader& header, uint8_t* out);

}  // namespace resim
