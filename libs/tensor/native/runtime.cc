#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "data.h"
#include "modes.h"
#include "tensor_handle.h"

namespace resim {
namespace {

void SetThreads(const Napi::CallbackInfo& info) { at::set_num_threads(info[0].As<Napi::Number>().Int32Value()); }

Napi::Value Threads(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), at::get_num_threads()); }

Napi::Value Live(const Napi::CallbackInfo& info) {
  drain_released_buffers();
  auto live = live_tensors();
  auto result = Napi::Object::New(info.Env());
  result.Set("count", Napi::Number::New(info.Env(), static_cast<double>(live.count)));
  result.Set("bytes", Napi::Number::New(info.Env(), static_cast<double>(live.bytes)));
  return result;
}

Napi::Value Build(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto result = Napi::Object::New(env);
  result.Set("libtorch", TORCH_VERSION);
  result.Set("cuda", at::hasCUDA());
  result.Set("config", at::show_config());
  return result;
}

}  // namespace

void init_runtime(Napi::Env env, Napi::Object exports) {
  exports.Set("setThreads", Napi::Function::New(env, SetThreads, "setThreads"));
  exports.Set("threads", Napi::Function::New(env, Threads, "threads"));
  exports.Set("live", Napi::Function::New(env, Live, "live"));
  exports.Set("build", Napi::Function::New(env, Build, "build"));
}

}  // namespace resim
