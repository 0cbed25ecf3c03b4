#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>

#include "modes.h"
#include "tensor_handle.h"

namespace resim {
namespace {

/// grad(output, inputs[], { gradOutput, retainGraph, allowUnused }) -> gradients (null where unused)
Napi::Value Grad(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto output = TensorHandle::Get(info[0]);
  auto inputs = TensorHandle::GetList(info[1]);
  auto options = info[2].As<Napi::Object>();
  bool retain = options.Get("retainGraph").ToBoolean();
  bool unused = options.Get("allowUnused").ToBoolean();
  auto seed = options.Get("gradOutput");
  return guarded(env, [&]() -> Napi::Value {
    std::vector<at::Tensor> outer;
    if (!seed.IsUndefined() && !seed.IsNull()) outer.push_back(TensorHandle::Get(seed));
    auto gradients = torch::autograd::grad({output}, inputs, outer, retain, false, unused);
    auto array = Napi::Array::New(env, gradients.size());
    for (size_t i = 0; i < gradients.size(); i++)
      array[static_cast<uint32_t>(i)] =
          gradients[i].defined() ? TensorHandle::Wrap(env, gradients[i]) : env.Null();
    return array;
  });
}

/// A value whose gradients are known already: backward only scales them. What a loss that is computed in pieces
/// (and its gradient with it) hands to autograd in place of a graph over all the pieces.
struct KnownGradient : torch::autograd::Function<KnownGradient> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& value,
                            const at::Tensor& input, const at::Tensor& gradient) {
    context->save_for_backward({gradient});
    return value.clone();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list outer) {
    auto gradient = context->get_saved_variables()[0];
    return {at::Tensor(), gradient * outer[0].to(gradient.scalar_type()), at::Tensor()};
  }
};

/// knownGradient(value [], input, gradient of the value with respect to input) -> value, differentiable in input
Napi::Value Known(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto value = TensorHandle::Get(info[0]);
  auto input = TensorHandle::Get(info[1]);
  auto gradient = TensorHandle::Get(info[2]);
  return guarded(env, [&]() -> Napi::Value {
    TORCH_CHECK(value.dim() == 0, "the value must be a scalar");
    TORCH_CHECK(input.sizes() == gradient.sizes(), "the gradient must have the shape of the input");
    return TensorHandle::Wrap(env, KnownGradient::apply(value, input, gradient));
  });
}

/// setGradMode(enabled) -> what it was before
Napi::Value SetGradMode(const Napi::CallbackInfo& info) {
  bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(info[0].ToBoolean());
  return Napi::Boolean::New(info.Env(), before);
}

}  // namespace

void init_autograd(Napi::Env env, Napi::Object exports) {
  exports.Set("grad", Napi::Function::New(env, Grad, "grad"));
  exports.Set("knownGradient", Napi::Function::New(env, Known, "knownGradient"));
  exports.Set("setGradMode", Napi::Function::New(env, SetGradMode, "setGradMode"));
}

}  // namespace resim
