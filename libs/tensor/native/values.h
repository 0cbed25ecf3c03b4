#pragma once
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>
#include <napi.h>

namespace resim {

/// A JavaScript argument as the value that the operator's schema asks for at this place.
/// Throws a TypeError that names the argument and its type.
c10::IValue to_ivalue(const Napi::Value& value, const c10::TypePtr& type, const std::string& argument);

/// What an operator returned: handles of tensors, lists of these, null; anything else stands in an object as `value`,
/// because handles are numbers themselves.
Napi::Value from_ivalue(Napi::Env env, const c10::IValue& value);

}  // namespace resim
