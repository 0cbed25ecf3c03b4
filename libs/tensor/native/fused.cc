// Updates over whole lists of tensors in one pass over memory. Written out one by one, SGD with momentum and weight
// decay reads and writes every parameter three times and the moving average twice; on a CPU that is time lost to memory.
#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "modes.h"
#include "tensor_handle.h"

namespace resim {
namespace {

constexpr int64_t kGrain = 32768;

bool plain(const at::Tensor& a, const at::Tensor& b) {
  // Equal strides over dense memory: element i of one stands beside element i of the other, whatever the format.
  return a.is_cpu() && b.is_cpu() && a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         a.is_non_overlapping_and_dense() && a.strides() == b.strides();
}

void require_same_length(Napi::Env env, size_t a, size_t b) {
  if (a != b) throw Napi::RangeError::New(env, "the lists of tensors must have the same length");
}

struct Sgd {
  double lr, momentum, weight_decay;
};

void sgd_one(at::Tensor parameter, const at::Tensor& gradient, at::Tensor velocity, const Sgd& sgd) {
  if (plain(parameter, gradient) && plain(parameter, velocity)) {
    AT_DISPATCH_FLOATING_TYPES(parameter.scalar_type(), "sgd", [&] {
      auto* w = parameter.data_ptr<scalar_t>();
      const auto* g = gradient.data_ptr<scalar_t>();
      auto* v = velocity.data_ptr<scalar_t>();
      const auto lr = static_cast<scalar_t>(sgd.lr), m = static_cast<scalar_t>(sgd.momentum),
                 d = static_cast<scalar_t>(sgd.weight_decay);
      at::parallel_for(0, parameter.numel(), kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
          const auto step = m * v[i] + (g[i] + d * w[i]);
          v[i] = step;
          w[i] -= lr * step;
        }
      });
    });
    return;
  }
  velocity.mul_(sgd.momentum).add_(gradient).add_(parameter, sgd.weight_decay);
  parameter.add_(velocity, -sgd.lr);
}

/// sgdStep(parameters, gradients, velocities, lr, momentum, weightDecay):
/// v <- momentum v + (g + weightDecay w); w <- w - lr v. Velocities start at zero.
void SgdStep(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto parameters = TensorHandle::GetList(info[0]);
  auto gradients = TensorHandle::GetList(info[1]);
  auto velocities = TensorHandle::GetList(info[2]);
  require_same_length(env, parameters.size(), gradients.size());
  require_same_length(env, parameters.size(), velocities.size());
  const Sgd sgd{info[3].As<Napi::Number>(), info[4].As<Napi::Number>(), info[5].As<Napi::Number>()};
  guarded(env, [&] {
    c10::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters.size(); i++) sgd_one(parameters[i], gradients[i], velocities[i], sgd);
  });
}

void ema_one(at::Tensor average, const at::Tensor& value, double momentum) {
  if (plain(average, value)) {
    AT_DISPATCH_FLOATING_TYPES(average.scalar_type(), "ema", [&] {
      auto* a = average.data_ptr<scalar_t>();
      const auto* x = value.data_ptr<scalar_t>();
      const auto keep = static_cast<scalar_t>(momentum), take = static_cast<scalar_t>(1.0 - momentum);
      at::parallel_for(0, average.numel(), kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) a[i] = keep * a[i] + take * x[i];
      });
    });
    return;
  }
  average.mul_(momentum).add_(value, 1.0 - momentum);
}

/// emaUpdate(averages, values, momentum): a <- momentum a + (1 - momentum) x
void EmaUpdate(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto averages = TensorHandle::GetList(info[0]);
  auto values = TensorHandle::GetList(info[1]);
  require_same_length(env, averages.size(), values.size());
  double momentum = info[2].As<Napi::Number>();
  guarded(env, [&] {
    c10::NoGradGuard no_grad;
    for (size_t i = 0; i < averages.size(); i++) ema_one(averages[i], values[i], momentum);
  });
}

}  // namespace

void init_fused(Napi::Env env, Napi::Object exports) {
  exports.Set("sgdStep", Napi::Function::New(env, SgdStep, "sgdStep"));
  exports.Set("emaUpdate", Napi::Function::New(env, EmaUpdate, "emaUpdate"));
}

}  // namespace resim
