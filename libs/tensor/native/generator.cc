#include "generator.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "tensor_handle.h"

namespace resim {
namespace {
constexpr napi_type_tag kGeneratorTag = {0x7265736d2d67656eULL, 0x5b0c7d1e83f9426aULL};
}

void GeneratorHandle::Init(Napi::Env env, Napi::Object exports) {
  exports.Set("GeneratorHandle", DefineClass(env, "GeneratorHandle",
                                             {InstanceMethod("state", &GeneratorHandle::State),
                                              InstanceMethod("setState", &GeneratorHandle::SetState)}));
}

GeneratorHandle::GeneratorHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto env = info.Env();
  bool lossless = true;
  auto seed = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
  guarded(env, [&] {
    c10::Device device(info[1].As<Napi::String>().Utf8Value());
    if (device.is_cpu()) {
      generator_ = at::detail::createCPUGenerator(seed);
    } else {
      // A clone of the device's own generator needs no header of that device's toolkit.
      generator_ = at::globalContext().defaultGenerator(device).clone();
      generator_.set_current_seed(seed);
    }
  });
  info.This().As<Napi::Object>().TypeTag(&kGeneratorTag);
}

at::Generator GeneratorHandle::Get(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kGeneratorTag))
    throw Napi::TypeError::New(value.Env(), "expected a generator");
  return Unwrap(value.As<Napi::Object>())->generator_;
}

Napi::Value GeneratorHandle::State(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value { return TensorHandle::Wrap(env, generator_.get_state()); });
}

void GeneratorHandle::SetState(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { generator_.set_state(TensorHandle::Get(info[0])); });
}

}  // namespace resim
