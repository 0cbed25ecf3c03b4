#include "tensor_handle.h"

#include <cmath>
#include <deque>

namespace resim {
namespace {

struct Place {
  at::Tensor tensor;
  int64_t bytes = 0;
  uint32_t uses = 0;
};

// One table a thread: a handle means nothing in another one.
thread_local std::deque<Place> places;
thread_local std::vector<uint32_t> free_places;
thread_local LiveTensors live{0, 0};

// A handle is kMark + uses * 2^24 + place: all of 53 bits that a JavaScript number holds exactly, and never a number
// that somebody counts or computes with.
constexpr double kMark = 4503599627370496.0;  // 2^52
constexpr uint32_t kPlaceBits = 24;
constexpr uint32_t kMaxUses = (1u << 27) - 1;

struct Decoded {
  uint32_t place;
  uint32_t uses;
};

double encode(uint32_t place) {
  return kMark + static_cast<double>((static_cast<uint64_t>(places[place].uses) << kPlaceBits) | place);
}

bool decode(const Napi::Value& value, Decoded& decoded) {
  if (!value.IsNumber()) return false;
  double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= kMark) || number >= 2 * kMark) return false;
  auto bits = static_cast<uint64_t>(number - kMark);
  decoded = {static_cast<uint32_t>(bits & ((1u << kPlaceBits) - 1)), static_cast<uint32_t>(bits >> kPlaceBits)};
  return decoded.place < places.size();
}

struct DTypeName {
  at::ScalarType type;
  const char* name;
};
constexpr DTypeName kDTypes[] = {
    {at::kFloat, "float32"}, {at::kDouble, "float64"}, {at::kHalf, "float16"}, {at::kBFloat16, "bfloat16"},
    {at::kLong, "int64"},    {at::kInt, "int32"},      {at::kShort, "int16"},  {at::kChar, "int8"},
    {at::kByte, "uint8"},    {at::kBool, "bool"},
};

Napi::Array to_array(Napi::Env env, at::IntArrayRef values) {
  auto array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); i++) array[static_cast<uint32_t>(i)] = Napi::Number::New(env, values[i]);
  return array;
}

// What JavaScript may ask of a tensor, one function each; the first argument is the handle.

Napi::Value Free(const Napi::CallbackInfo& info) {
  Decoded decoded{};
  if (decode(info[0], decoded)) {
    auto& place = places[decoded.place];
    if (place.uses == decoded.uses && place.tensor.defined()) {
      live.count--;
      live.bytes -= place.bytes;
      place.tensor.reset();
      // A place whose count is used up is left alone, so that no old handle ever fits again.
      if (place.uses < kMaxUses) {
        place.uses++;
        free_places.push_back(decoded.place);
      }
    }
  }
  return info.Env().Undefined();
}

Napi::Value IsFreed(const Napi::CallbackInfo& info) {
  Decoded decoded{};
  bool there = decode(info[0], decoded) && places[decoded.place].uses == decoded.uses && places[decoded.place].tensor.defined();
  return Napi::Boolean::New(info.Env(), !there);
}

Napi::Value Shape(const Napi::CallbackInfo& info) { return to_array(info.Env(), TensorHandle::Get(info[0]).sizes()); }

Napi::Value DType(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), dtype_name(TensorHandle::Get(info[0]).scalar_type()));
}

Napi::Value Device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), TensorHandle::Get(info[0]).device().str());
}

/// Bytes that are freed with this tensor; 0 for a view.
Napi::Value OwnBytes(const Napi::CallbackInfo& info) {
  Decoded decoded{};
  bool known = decode(info[0], decoded) && places[decoded.place].uses == decoded.uses;
  return Napi::Number::New(info.Env(), known ? static_cast<double>(places[decoded.place].bytes) : 0);
}

Napi::Value Item(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto scalar = TensorHandle::Get(info[0]).item();
    return Napi::Number::New(env, scalar.isIntegral(true) ? static_cast<double>(scalar.toLong()) : scalar.toDouble());
  });
}

Napi::Value RequiresGrad(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), TensorHandle::Get(info[0]).requires_grad());
}

Napi::Value SetRequiresGrad(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    TensorHandle::Get(info[0]).set_requires_grad(info[1].ToBoolean());
    return info.Env().Undefined();
  });
}

Napi::Value IsContiguous(const Napi::CallbackInfo& info) {
  bool channels_last = info[1].ToBoolean();
  return Napi::Boolean::New(info.Env(), TensorHandle::Get(info[0]).is_contiguous(
                                            channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous));
}

/// adjustExternalMemory(bytes): tells the collector of memory that only it can cause to be freed.
void AdjustExternalMemory(const Napi::CallbackInfo& info) {
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), info[0].As<Napi::Number>().Int64Value());
}

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

LiveTensors live_tensors() { return live; }

void TensorHandle::Init(Napi::Env env, Napi::Object exports) {
  auto set = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("free", Free);
  set("isFreed", IsFreed);
  set("shape", Shape);
  set("dtype", DType);
  set("device", Device);
  set("ownBytes", OwnBytes);
  set("item", Item);
  set("requiresGrad", RequiresGrad);
  set("setRequiresGrad", SetRequiresGrad);
  set("isContiguous", IsContiguous);
  exports.Set("adjustExternalMemory", Napi::Function::New(env, AdjustExternalMemory, "adjustExternalMemory"));
}

Napi::Value TensorHandle::Wrap(Napi::Env env, at::Tensor tensor) {
  uint32_t index;
  if (free_places.empty()) {
    index = static_cast<uint32_t>(places.size());
    if (index >> kPlaceBits) throw Napi::RangeError::New(env, "too many tensors are held at once");
    places.emplace_back();
  } else {
    index = free_places.back();
    free_places.pop_back();
  }
  auto& place = places[index];
  // A view shares its storage with a tensor that has counted the bytes already.
  bool owner = tensor.has_storage() && tensor.storage().use_count() == 1;
  place.bytes = owner ? static_cast<int64_t>(tensor.storage().nbytes()) : 0;
  place.tensor = std::move(tensor);
  live.count++;
  live.bytes += place.bytes;
  return Napi::Number::New(env, encode(index));
}

const at::Tensor& TensorHandle::Get(const Napi::Value& value) {
  Decoded decoded{};
  if (!decode(value, decoded) || decoded.uses > places[decoded.place].uses)
    throw Napi::TypeError::New(value.Env(), "expected a tensor");
  const auto& place = places[decoded.place];
  if (decoded.uses < place.uses || !place.tensor.defined())
    throw Napi::TypeError::New(value.Env(), "the tensor was disposed of already");
  return place.tensor;
}

std::vector<at::Tensor> TensorHandle::GetList(const Napi::Value& value) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "expected a list of tensors");
  auto array = value.As<Napi::Array>();
  std::vector<at::Tensor> tensors;
  tensors.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) tensors.push_back(Get(array.Get(i)));
  return tensors;
}

}  // namespace resim
