#include "jpeg.h"

#include <dlfcn.h>

#include <mutex>
#include <stdexcept>

namespace resim {
namespace {

// The part of the TurboJPEG 2 interface that is used; version 3 keeps it.
constexpr int kFormatRgb = 0;
constexpr int kColourCmyk = 3, kColourYcck = 4;
constexpr int kAccurateDct = 4096;
constexpr int kLimitScans = 32768;  // a progressive file of thousands of scans is an attack on the processor
constexpr int kErrorIsWarning = 0;

struct Api {
  void* (*init)() = nullptr;
  int (*destroy)(void*) = nullptr;
  int (*header)(void*, const unsigned char*, unsigned long, int*, int*, int*, int*) = nullptr;
  int (*decompress)(void*, const unsigned char*, unsigned long, unsigned char*, int, int, int, int, int) = nullptr;
  char* (*error_text)(void*) = nullptr;
  int (*error_code)(void*) = nullptr;
};

std::mutex guard;
Api api;
bool loaded = false;

template <typename Function>
bool take(void* library, const char* name, Function& into) {
  into = reinterpret_cast<Function>(dlsym(library, name));
  return into != nullptr;
}

// One decoder a file: libjpeg keeps tables from one file to the next, and what a broken file decodes to must not depend
// on what was decoded before it.
class Decoder {
 public:
  Decoder() {
    if (!loaded) throw std::runtime_error("libjpeg-turbo is not loaded");
    handle_ = api.init();
    if (handle_ == nullptr) throw std::runtime_error("libjpeg-turbo gave no decoder");
  }
  ~Decoder() { api.destroy(handle_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  void* get() const { return handle_; }

 private:
  void* handle_ = nullptr;
};

}  // namespace

bool load_turbojpeg(const std::string& path) {
  const std::lock_guard<std::mutex> lock(guard);
  if (loaded) return true;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return false;
  Api found;
  loaded = take(library, "tjInitDecompress", found.init) && take(library, "tjDestroy", found.destroy) &&
           take(library, "tjDecompressHeader3", found.header) && take(library, "tjDecompress2", found.decompress) &&
           take(library, "tjGetErrorStr2", found.error_text) && take(library, "tjGetErrorCode", found.error_code);
  if (loaded) api = found;
  return loaded;
}

JpegHeader jpeg_header(const uint8_t* data, size_t bytes) {
  const Decoder decoder;
  void* const handle = decoder.get();
  int width = 0, height = 0, subsampling = 0, colours = 0;
  const int status = api.header(handle, data, static_cast<unsigned long>(bytes), &width, &height, &subsampling, &colours);
  const bool warned = status != 0 && api.error_code(handle) == kErrorIsWarning;
  if ((status != 0 && !warned) || width < 1 || height < 1) throw std::runtime_error(api.error_text(handle));
  return {width, height, colours == kColourCmyk || colours == kColourYcck};
}

void jpeg_decode(const uint8_t* data, size_t bytes, const JpegHeader& header, uint8_t* out) {
  const Decoder decoder;
  void* const handle = decoder.get();
  if (api.decompress(handle, data, static_cast<unsigned long>(bytes), out, header.width, 0, header.height, kFormatRgb,
                     kAccurateDct | kLimitScans) == 0) {
    return;
  }
  const std::string text = api.error_text(handle);
  // Stray bytes between markers lose nothing; every other warning means that pixels were made up.
  const bool harmless = api.error_code(handle) == kErrorIsWarning && text.find("extraneous bytes") != std::string::npos;
  if (!harmless) throw std::runtime_error(text);
}

}  // namespace resim
