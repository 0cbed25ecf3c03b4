#include "tensor_handle.h"

#include <atomic>

namespace resim {
namespace {

// A tag proves that an object is ours before its memory is read as a TensorHandle.
constexpr napi_type_tag kTensorTag = {0x7265736d2d746e73ULL, 0x9d1f4b6a52e84c03ULL};

Napi::FunctionReference constructor;
std::atomic<int64_t> live_count{0};
std::atomic<int64_t> live_bytes{0};

struct DTypeName {
  at::ScalarType type;
  const char* name;
};
constexpr DTypeName kDTypes[] = {
    {at::kFloat, "float32"}, {at::kDouble, "float64"}, {at::kHalf, "float16"}, {at::kBFloat16, "bfloat16"},
    {at::kLong, "int64"},    {at::kInt, "int32"},      {at::kShort, "int16"},  {at::kChar, "int8"},
    {at::kByte, "uint8"},    {at::kBool, "bool"},
};

}  // namespace

const char* dtype_name(at::ScalarType type) {
  for (const auto& row : kDTypes)
    if (row.type == type) return row.name;
  return at::toString(type);
}

at::ScalarType dtype_of(Napi::Env env, const std::string& name) {
  std::string known;
  for (const auto& row : kDTypes) {
    if (name == row.name) return row.type;
    known += known.empty() ? row.name : std::string(", ") + row.name;
  }
  throw Napi::TypeError::New(env, "unknown dtype \"" + name + "\"; one of " + known);
}

LiveTensors live_tensors() { return {live_count.load(), live_bytes.load()}; }

void TensorHandle::Init(Napi::Env env, Napi::Object exports) {
  auto function = DefineClass(env, "TensorHandle",
                              {InstanceMethod("free", &TensorHandle::Free),
                               InstanceMethod("shape", &TensorHandle::Shape),
                               InstanceMethod("strides", &TensorHandle::Strides),
                               InstanceMethod("dtype", &TensorHandle::DType),
                               InstanceMethod("device", &TensorHandle::Device),
                               InstanceMethod("numel", &TensorHandle::Numel),
                               InstanceMethod("item", &TensorHandle::Item),
                               InstanceMethod("requiresGrad", &TensorHandle::RequiresGrad),
                               InstanceMethod("setRequiresGrad", &TensorHandle::SetRequiresGrad),
                               InstanceMethod("isFreed", &TensorHandle::IsFreed),
                               InstanceMethod("isContiguous", &TensorHandle::IsContiguous),
                               InstanceMethod("reportToCollector", &TensorHandle::ReportToCollector)});
  constructor = Napi::Persistent(function);
  constructor.SuppressDestruct();
  exports.Set("TensorHandle", function);
}

TensorHandle::TensorHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  info.This().As<Napi::Object>().TypeTag(&kTensorTag);
  live_count++;
}

TensorHandle::~TensorHandle() {
  Release();
}

Napi::Object TensorHandle::Wrap(Napi::Env env, at::Tensor tensor) {
  auto object = constructor.New({});
  auto* handle = Unwrap(object);
  // A view shares its storage with a tensor that has counted the bytes already.
  if (tensor.defined() && tensor.has_storage() && tensor.storage().use_count() == 1)
    handle->bytes_ = static_cast<int64_t>(tensor.storage().nbytes());
  live_bytes += handle->bytes_;
  handle->tensor_ = std::move(tensor);
  return object;
}

void TensorHandle::ReportToCollector(const Napi::CallbackInfo& info) {
  if (reported_ || !tensor_.defined()) return;
  reported_ = true;
  if (bytes_ > 0) Napi::MemoryManagement::AdjustExternalMemory(info.Env(), bytes_);
}

void TensorHandle::Release() {
  if (released_) return;
  released_ = true;
  live_count--;
  live_bytes -= bytes_;
  if (reported_ && bytes_ > 0) Napi::MemoryManagement::AdjustExternalMemory(Env(), -bytes_);
  tensor_.reset();
}

const at::Tensor& TensorHandle::Checked(Napi::Env env) const {
  if (!tensor_.defined()) throw Napi::TypeError::New(env, "the tensor was disposed of already");
  return tensor_;
}

const at::Tensor& TensorHandle::Get(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTensorTag))
    throw Napi::TypeError::New(value.Env(), "expected a tensor");
  return Unwrap(value.As<Napi::Object>())->Checked(value.Env());
}

std::vector<at::Tensor> TensorHandle::GetList(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "expected a list of tensors");
  auto array = value.As<Napi::Array>();
  std::vector<at::Tensor> tensors;
  tensors.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) tensors.push_back(Get(array.Get(i)));
  return tensors;
}

void TensorHandle::Free(const Napi::CallbackInfo&) { Release(); }

Napi::Value TensorHandle::IsFreed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !tensor_.defined());
}

static Napi::Array to_array(Napi::Env env, at::IntArrayRef values) {
  auto array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); i++) array[static_cast<uint32_t>(i)] = Napi::Number::New(env, values[i]);
  return array;
}

Napi::Value TensorHandle::Shape(const Napi::CallbackInfo& info) { return to_array(info.Env(), Checked(info.Env()).sizes()); }

Napi::Value TensorHandle::Strides(const Napi::CallbackInfo& info) {
  return to_array(info.Env(), Checked(info.Env()).strides());
}

Napi::Value TensorHandle::DType(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), dtype_name(Checked(info.Env()).scalar_type()));
}

Napi::Value TensorHandle::Device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), Checked(info.Env()).device().str());
}

Napi::Value TensorHandle::Numel(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), Checked(info.Env()).numel());
}

Napi::Value TensorHandle::Item(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto scalar = Checked(env).item();
    return Napi::Number::New(env, scalar.isIntegral(true) ? static_cast<double>(scalar.toLong()) : scalar.toDouble());
  });
}

Napi::Value TensorHandle::RequiresGrad(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Checked(info.Env()).requires_grad());
}

Napi::Value TensorHandle::SetRequiresGrad(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Checked(env).set_requires_grad(info[0].ToBoolean());
    return info.This();
  });
}

Napi::Value TensorHandle::IsContiguous(const Napi::CallbackInfo& info) {
  auto& tensor = Checked(info.Env());
  bool channels_last = info.Length() > 0 && info[0].ToBoolean();
  return Napi::Boolean::New(info.Env(),
                            tensor.is_contiguous(channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous));
}

}  // namespace resim
