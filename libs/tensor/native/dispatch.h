#pragma once
#include <napi.h>

namespace resim {
void init_dispatch(Napi::Env env, Napi::Object exports);
}
