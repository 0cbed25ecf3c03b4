#pragma once
#include <napi.h>

namespace resim {
void init_autocast(Napi::Env env, Napi::Object exports);
void init_autograd(Napi::Env env, Napi::Object exports);
void init_fused(Napi::Env env, Napi::Object exports);
void init_runtime(Napi::Env env, Napi::Object exports);
}  // namespace resim
