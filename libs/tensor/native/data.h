#pragma once
#include <napi.h>

namespace resim {
void init_data(Napi::Env env, Napi::Object exports);
/// Lets go of the JavaScript buffers whose tensors are gone. Tensors may die on any thread, references only on ours.
void drain_released_buffers();
}  // namespace resim
