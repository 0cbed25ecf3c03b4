#pragma once
#include <ATen/ATen.h>
#include <napi.h>

namespace resim {

/// Tensors as JavaScript holds them: numbers that name a place in a table of this thread. A number costs nothing to
/// make and leaves nothing behind when it is freed; an object a tensor would leave a shell in the heap until the next
/// collection, and thousands of shells a step between the blocks of activations keep the allocator from reusing these.
/// A number also holds how often its place was used, so one that outlives its tensor is told from the next tensor's.
class TensorHandle {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  static Napi::Value Wrap(Napi::Env env, at::Tensor tensor);
  /// The tensor that `value` names; throws a TypeError for anything else and for a tensor that was disposed of.
  static const at::Tensor& Get(const Napi::Value& value);
  static std::vector<at::Tensor> GetList(const Napi::Value& value);
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
