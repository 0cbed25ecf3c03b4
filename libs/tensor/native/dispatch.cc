#include "dispatch.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <vector>

#include "data.h"
#include "tensor_handle.h"
#include "values.h"

namespace resim {
namespace {

// Operators that JavaScript has asked for, by the number it was given.
thread_local std::vector<c10::OperatorHandle> operators;

c10::OperatorHandle find(Napi::Env env, const std::string& name) {
  auto dot = name.find('.', name.find("::"));
  auto base = dot == std::string::npos ? name : name.substr(0, dot);
  auto overload = dot == std::string::npos ? std::string() : name.substr(dot + 1);
  auto handle = c10::Dispatcher::singleton().findSchema({base, overload});
  if (!handle.has_value()) throw Napi::TypeError::New(env, "libtorch has no operator " + name);
  return *handle;
}

/// operator(name) -> number, to be given to call().
Napi::Value Operator(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  operators.push_back(find(env, info[0].As<Napi::String>().Utf8Value()));
  return Napi::Number::New(env, static_cast<double>(operators.size() - 1));
}

/// schema(name) -> { arguments: [{ name, type, default, kwargOnly }], returns: [type] }
Napi::Value Schema(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  const auto handle = find(env, info[0].As<Napi::String>().Utf8Value());
  const auto& schema = handle.schema();
  auto arguments = Napi::Array::New(env);
  for (const auto& argument : schema.arguments()) {
    auto row = Napi::Object::New(env);
    row.Set("name", argument.name());
    row.Set("type", argument.type()->str());
    row.Set("kwargOnly", argument.kwarg_only());
    if (argument.default_value()) {
      std::ostringstream text;
      text << *argument.default_value();
      row.Set("default", text.str());
    }
    arguments[arguments.Length()] = row;
  }
  auto returns = Napi::Array::New(env);
  for (const auto& value : schema.returns()) returns[returns.Length()] = Napi::String::New(env, value.type()->str());
  auto result = Napi::Object::New(env);
  result.Set("arguments", arguments);
  result.Set("returns", returns);
  return result;
}

/// call(operator, [arguments]) -> what the operator returns; arguments that are undefined take the schema's default.
Napi::Value Call(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  drain_released_buffers();
  auto index = info[0].As<Napi::Number>().Uint32Value();
  if (index >= operators.size()) throw Napi::TypeError::New(env, "no such operator number");
  auto given = info[1].As<Napi::Array>();
  const uint32_t count = given.Length();
  auto& handle = operators[index];
  const auto& schema = handle.schema();
  if (count > schema.arguments().size())
    throw Napi::TypeError::New(env, schema.name() + " takes at most " + std::to_string(schema.arguments().size()) + " arguments");
  return guarded(env, [&]() -> Napi::Value {
    torch::jit::Stack stack;
    stack.reserve(schema.arguments().size());
    uint32_t place = 0;
    for (const auto& argument : schema.arguments()) {
      Napi::Value value = place < count ? given.Get(place) : env.Undefined();
      place++;
      if (value.IsUndefined() && argument.default_value())
        stack.push_back(*argument.default_value());
      else
        stack.push_back(to_ivalue(value, argument.type(), argument.name()));
    }
    handle.callBoxed(stack);
    if (stack.empty()) return env.Undefined();
    if (stack.size() == 1) return from_ivalue(env, stack[0]);
    auto results = Napi::Array::New(env, stack.size());
    for (size_t i = 0; i < stack.size(); i++) results[static_cast<uint32_t>(i)] = from_ivalue(env, stack[i]);
    return results;
  });
}

}  // namespace

void init_dispatch(Napi::Env env, Napi::Object exports) {
  exports.Set("operator", Napi::Function::New(env, Operator, "operator"));
  exports.Set("schema", Napi::Function::New(env, Schema, "schema"));
  exports.Set("call", Napi::Function::New(env, Call, "call"));
}

}  // namespace resim
