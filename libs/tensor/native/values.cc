#include "values.h"

#include <ATen/core/List.h>

#include "generator.h"
#include "tensor_handle.h"

namespace resim {
namespace {

[[noreturn]] void refuse(const Napi::Value& value, const c10::TypePtr& type, const std::string& argument) {
  throw Napi::TypeError::New(value.Env(), "argument `" + argument + "` must be of type " + type->str());
}

/// Schemas give dtypes, memory formats and the like as plain integers; JavaScript gives them by name.
int64_t named_integer(const Napi::Value& value) {
  auto name = value.As<Napi::String>().Utf8Value();
  if (name == "contiguous") return static_cast<int64_t>(at::MemoryFormat::Contiguous);
  if (name == "channels_last") return static_cast<int64_t>(at::MemoryFormat::ChannelsLast);
  if (name == "preserve") return static_cast<int64_t>(at::MemoryFormat::Preserve);
  return static_cast<int64_t>(dtype_of(value.Env(), name));
}

int64_t integer(const Napi::Value& value, const c10::TypePtr& type, const std::string& argument) {
  if (value.IsString()) return named_integer(value);
  if (value.IsBoolean()) return value.ToBoolean() ? 1 : 0;
  if (value.IsBigInt()) {
    bool lossless = true;
    return value.As<Napi::BigInt>().Int64Value(&lossless);
  }
  if (!value.IsNumber()) refuse(value, type, argument);
  double number = value.As<Napi::Number>().DoubleValue();
  if (number != std::trunc(number)) refuse(value, type, argument);
  return static_cast<int64_t>(number);
}

c10::IValue scalar(const Napi::Value& value, const c10::TypePtr& type, const std::string& argument) {
  if (value.IsBoolean()) return value.ToBoolean().Value();
  if (!value.IsNumber()) refuse(value, type, argument);
  double number = value.As<Napi::Number>().DoubleValue();
  // Integral scalars stay integral, so that `x.mul(2)` of an integer tensor is one too.
  if (number == std::trunc(number) && std::abs(number) < 9.0e15) return static_cast<int64_t>(number);
  return number;
}

}  // namespace

c10::IValue to_ivalue(const Napi::Value& value, const c10::TypePtr& type, const std::string& argument) {
  using Kind = c10::TypeKind;
  if (value.IsUndefined() || value.IsNull()) {
    if (type->kind() == Kind::TensorType) return at::Tensor();
    if (type->kind() != Kind::OptionalType) refuse(value, type, argument);
    return c10::IValue();
  }
  switch (type->kind()) {
    case Kind::OptionalType:
      return to_ivalue(value, type->castRaw<c10::OptionalType>()->getElementType(), argument);
    case Kind::TensorType:
      return TensorHandle::Get(value);
    case Kind::IntType:
    case Kind::SymIntType:
      return integer(value, type, argument);
    case Kind::FloatType:
      if (!value.IsNumber()) refuse(value, type, argument);
      return value.As<Napi::Number>().DoubleValue();
    case Kind::BoolType:
      if (!value.IsBoolean()) refuse(value, type, argument);
      return value.As<Napi::Boolean>().Value();
    case Kind::NumberType:
      return scalar(value, type, argument);
    case Kind::StringType:
      if (!value.IsString()) refuse(value, type, argument);
      return value.As<Napi::String>().Utf8Value();
    case Kind::DeviceObjType:
      if (!value.IsString()) refuse(value, type, argument);
      return c10::Device(value.As<Napi::String>().Utf8Value());
    case Kind::GeneratorType:
      return GeneratorHandle::Get(value);
    case Kind::ListType: {
      auto element = type->castRaw<c10::ListType>()->getElementType();
      // A symbolic integer list is stored as plain integers.
      c10::TypePtr stored = element->kind() == Kind::SymIntType ? c10::TypePtr(c10::IntType::get()) : element;
      c10::impl::GenericList list(stored);
      if (!value.IsArray()) {
        // One number stands for a list of one (libtorch expands it): `stride: 2`.
        if (!value.IsNumber()) refuse(value, type, argument);
        list.push_back(to_ivalue(value, element, argument));
        return list;
      }
      auto array = value.As<Napi::Array>();
      list.reserve(array.Length());
      for (uint32_t i = 0; i < array.Length(); i++) list.push_back(to_ivalue(array.Get(i), element, argument));
      return list;
    }
    default:
      refuse(value, type, argument);
  }
}

Napi::Value from_ivalue(Napi::Env env, const c10::IValue& value) {
  if (value.isNone()) return env.Null();
  if (value.isTensor()) {
    auto tensor = value.toTensor();
    if (!tensor.defined()) return env.Null();
    return TensorHandle::Wrap(env, std::move(tensor));
  }
  if (value.isList()) {
    auto list = value.toList();
    auto array = Napi::Array::New(env, list.size());
    for (size_t i = 0; i < list.size(); i++)
      array[static_cast<uint32_t>(i)] = from_ivalue(env, static_cast<c10::IValue>(list.get(i)));
    return array;
  }
  auto plain = Napi::Object::New(env);
  if (value.isBool())
    plain.Set("value", value.toBool());
  else if (value.isInt())
    plain.Set("value", static_cast<double>(value.toInt()));
  else if (value.isDouble())
    plain.Set("value", value.toDouble());
  else if (value.isString())
    plain.Set("value", value.toStringRef());
  else
    throw Napi::TypeError::New(env, "an operator returned a value of a kind that has no JavaScript form");
  return plain;
}

}  // namespace resim
