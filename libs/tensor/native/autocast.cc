#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include "tensor_handle.h"
#include "modes.h"

// libtorch renamed its autocast switches twice; this file is the only one that knows.
#define RESIM_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace resim {
namespace {

/// setAutocast(device, enabled, dtype): casts are cached from switching on to switching off.
void SetAutocast(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  c10::Device device(info[0].As<Napi::String>().Utf8Value());
  bool enabled = info[1].ToBoolean();
  auto dtype = dtype_of(env, info[2].As<Napi::String>().Utf8Value());
#if RESIM_TORCH_AT_LEAST(2, 4)
  at::autocast::set_autocast_enabled(device.type(), enabled);
  at::autocast::set_autocast_dtype(device.type(), dtype);
#else
  if (device.is_cuda()) {
    at::autocast::set_enabled(enabled);
    at::autocast::set_autocast_gpu_dtype(dtype);
  } else {
    at::autocast::set_cpu_enabled(enabled);
    at::autocast::set_autocast_cpu_dtype(dtype);
  }
#endif
  if (!enabled) at::autocast::clear_cache();
}

}  // namespace

void init_autocast(Napi::Env env, Napi::Object exports) {
  exports.Set("setAutocast", Napi::Function::New(env, SetAutocast, "setAutocast"));
}

}  // namespace resim
