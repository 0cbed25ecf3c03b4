#pragma once
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>
#include <napi.h>

namespace resim {

/// A JavaScript argument as the value that the operator's schema asks for at this place.
/// Throws a TypeError that names the argument and its type.
c10::IValue to_ivalue(const Napi::Value& value, const c10::TypePtr& type, const std::string& argument);

/// What an operator returned, as JavaScript sees it: tensors, numbers, booleans, strings, lists of these, or null.
Napi::Value from_ivalue(Napi::Env env, const c10::IValue& value);

}  // namespace resim
