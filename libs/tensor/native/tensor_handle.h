#pragma once
#include <ATen/ATen.h>
#include <napi.h>

namespace resim {

/// A tensor as JavaScript holds it. The memory goes when JavaScript disposes of it, or with the garbage collector
/// at the latest. V8 is told of the bytes of those that no scope will free, so that it collects in time; telling it of
/// the others would make it collect many times a step, on the cores that compute.
class TensorHandle : public Napi::ObjectWrap<TensorHandle> {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  static Napi::Object Wrap(Napi::Env env, at::Tensor tensor);
  /// The tensor behind `value`; throws a TypeError for anything else and for a tensor that was disposed of.
  static const at::Tensor& Get(const Napi::Value& value);
  static std::vector<at::Tensor> GetList(const Napi::Value& value);

  explicit TensorHandle(const Napi::CallbackInfo& info);
  ~TensorHandle() override;

 private:
  void Free(const Napi::CallbackInfo& info);
  Napi::Value Shape(const Napi::CallbackInfo& info);
  Napi::Value Strides(const Napi::CallbackInfo& info);
  Napi::Value DType(const Napi::CallbackInfo& info);
  Napi::Value Device(const Napi::CallbackInfo& info);
  Napi::Value Numel(const Napi::CallbackInfo& info);
  Napi::Value Item(const Napi::CallbackInfo& info);
  Napi::Value RequiresGrad(const Napi::CallbackInfo& info);
  Napi::Value SetRequiresGrad(const Napi::CallbackInfo& info);
  Napi::Value IsFreed(const Napi::CallbackInfo& info);
  Napi::Value IsContiguous(const Napi::CallbackInfo& info);
  void ReportToCollector(const Napi::CallbackInfo& info);
  const at::Tensor& Checked(Napi::Env env) const;
  void Release();

  at::Tensor tensor_;
  int64_t bytes_ = 0;
  bool reported_ = false;
  bool released_ = false;
};

/// Tensors that JavaScript holds now and their bytes; a view adds none.
struct LiveTensors {
  int64_t count;
  int64_t bytes;
};
LiveTensors live_tensors();

const char* dtype_name(at::ScalarType type);
/// The dtype of that name; throws a TypeError that lists the names.
at::ScalarType dtype_of(Napi::Env env, const std::string& name);

/// Runs `body`; a failure inside libtorch becomes a JavaScript Error with libtorch's own message.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const c10::Error& error) {
    throw Napi::Error::New(env, error.what_without_backtrace());
  }
}

}  // namespace resim
