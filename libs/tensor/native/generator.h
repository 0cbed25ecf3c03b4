#pragma once
#include <ATen/core/Generator.h>
#include <napi.h>

namespace resim {

/// A seeded source of random numbers whose state can be saved and put back.
class GeneratorHandle : public Napi::ObjectWrap<GeneratorHandle> {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  static at::Generator Get(const Napi::Value& value);

  /// new GeneratorHandle(seed: bigint, device: string)
  explicit GeneratorHandle(const Napi::CallbackInfo& info);

 private:
  Napi::Value State(const Napi::CallbackInfo& info);
  void SetState(const Napi::CallbackInfo& info);

  at::Generator generator_;
};

}  // namespace resim
