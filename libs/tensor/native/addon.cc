#include <napi.h>

#include "data.h"
#include "dispatch.h"
#include "generator.h"
#include "modes.h"
#include "tensor_handle.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  resim::TensorHandle::Init(env, exports);
  resim::GeneratorHandle::Init(env, exports);
  resim::init_dispatch(env, exports);
  resim::init_autograd(env, exports);
  resim::init_autocast(env, exports);
  resim::init_data(env, exports);
  resim::init_fused(env, exports);
  resim::init_runtime(env, exports);
  return exports;
}

NODE_API_MODULE(resim_tensor, Init)
