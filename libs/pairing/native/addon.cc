// The bridge: plain numbers and typed arrays across, every bound checked here, every C++ exception a JavaScript error.
#include <napi.h>

#include <stdexcept>
#include <string>

#include "jpeg.h"
#include "kernels.h"
#include "view.h"

namespace {

thread_local resim::Scratch scratch;

struct Bytes {
  uint8_t* data;
  size_t length;
};

Bytes bytes(const Napi::CallbackInfo& info, size_t index, const char* what) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(info.Env(), std::string(what) + " must be a Uint8Array");
  }
  // Asked of Node directly: the C++ wrapper insists on an ArrayBuffer, and this may lie in shared memory.
  void* data = nullptr;
  size_t length = 0;
  napi_status status = napi_get_typedarray_info(info.Env(), value, nullptr, &length, &data, nullptr, nullptr);
  if (status != napi_ok) throw Napi::TypeError::New(info.Env(), std::string(what) + " cannot be read");
  return {static_cast<uint8_t*>(data), length};
}

const double* plan_of(const Napi::CallbackInfo& info, size_t index, size_t& length) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    throw Napi::TypeError::New(info.Env(), "plan must be a Float64Array");
  }
  void* data = nullptr;
  napi_get_typedarray_info(info.Env(), value, nullptr, &length, &data, nullptr, nullptr);
  return static_cast<const double*>(data);
}

double number(const Napi::CallbackInfo& info, size_t index, const char* what) {
  if (!info[index].IsNumber()) throw Napi::TypeError::New(info.Env(), std::string(what) + " must be a number");
  return info[index].As<Napi::Number>().DoubleValue();
}

int side(const Napi::CallbackInfo& info, size_t index, const char* what) {
  const double value = number(info, index, what);
  if (!(value >= 1 && value <= (1 << 28)) || value != static_cast<int>(value)) {
    throw Napi::RangeError::New(info.Env(), std::string(what) + " must be a whole number of pixels");
  }
  return static_cast<int>(value);
}

void check_image(const Napi::CallbackInfo& info, const Bytes& image, int width, int height) {
  if (image.length != static_cast<size_t>(width) * height * 3) {
    throw Napi::RangeError::New(info.Env(), "image must hold width x height x 3 bytes");
  }
}

// loadTurbojpeg(path: string): boolean
Napi::Value LoadTurbojpeg(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) throw Napi::TypeError::New(info.Env(), "path must be a string");
  return Napi::Boolean::New(info.Env(), resim::load_turbojpeg(info[0].As<Napi::String>().Utf8Value()));
}

// jpegHeader(file: Uint8Array): { width, height, cmyk }
Napi::Value JpegHeader(const Napi::CallbackInfo& info) {
  const Bytes file = bytes(info, 0, "file");
  const resim::JpegHeader header = resim::jpeg_header(file.data, file.length);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("width", header.width);
  result.Set("height", header.height);
  result.Set("cmyk", header.cmyk);
  return result;
}

// decodeJpeg(file: Uint8Array, out: Uint8Array): void; out holds width x height x 3 bytes
void DecodeJpeg(const Napi::CallbackInfo& info) {
  const Bytes file = bytes(info, 0, "file");
  const Bytes out = bytes(info, 1, "out");
  const resim::JpegHeader header = resim::jpeg_header(file.data, file.length);
  check_image(info, out, header.width, header.height);
  resim::jpeg_decode(file.data, file.length, header, out.data);
}

// makeView(image: Uint8Array, width, height, plan: Float64Array, out: Uint8Array, offset): void
void MakeView(const Napi::CallbackInfo& info) {
  const Bytes image = bytes(info, 0, "image");
  const int width = side(info, 1, "width"), height = side(info, 2, "height");
  check_image(info, image, width, height);
  size_t length = 0;
  const double* plan = plan_of(info, 3, length);
  const int size = resim::check_plan(plan, length, height, width);
  const Bytes out = bytes(info, 4, "out");
  const double offset = number(info, 5, "offset");
  const size_t needed = static_cast<size_t>(size) * size * 3;
  if (!(offset >= 0) || out.length < needed || offset > static_cast<double>(out.length - needed)) {
    throw Napi::RangeError::New(info.Env(), "out must hold size x size x 3 bytes from offset on");
  }
  resim::make_view(image.data, height, width, plan, out.data + static_cast<size_t>(offset), scratch);
}

// applyOperation(image: Uint8Array, width, height, operation, value): void, in place
void ApplyOperation(const Napi::CallbackInfo& info) {
  const Bytes image = bytes(info, 0, "image");
  const int width = side(info, 1, "width"), height = side(info, 2, "height");
  check_image(info, image, width, height);
  const double operation = number(info, 3, "operation"), value = number(info, 4, "value");
  resim::check_operation(operation, value);
  resim::apply_operation(image.data, height, width, operation, value, scratch);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("loadTurbojpeg", Napi::Function::New<LoadTurbojpeg>(env));
  exports.Set("jpegHeader", Napi::Function::New<JpegHeader>(env));
  exports.Set("decodeJpeg", Napi::Function::New<DecodeJpeg>(env));
  exports.Set("makeView", Napi::Function::New<MakeView>(env));
  exports.Set("applyOperation", Napi::Function::New<ApplyOperation>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(resim_image, Init)
