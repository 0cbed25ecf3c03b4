#include "data.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <mutex>

#include "tensor_handle.h"

namespace resim {
namespace {

std::mutex released_mutex;
std::vector<Napi::ObjectReference*> released;

std::vector<int64_t> sizes_of(const Napi::Value& value) {
  auto array = value.As<Napi::Array>();
  std::vector<int64_t> sizes(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) {
    sizes[i] = array.Get(i).As<Napi::Number>().Int64Value();
    if (sizes[i] < 0) throw Napi::RangeError::New(value.Env(), "a shape must not have a negative size");
  }
  return sizes;
}

int64_t bytes_of(Napi::Env env, const std::vector<int64_t>& sizes, at::ScalarType type) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(type));
  for (auto size : sizes)
    if (__builtin_mul_overflow(bytes, size, &bytes)) throw Napi::RangeError::New(env, "a shape is too large");
  return bytes;
}

/// fromTypedArray(array, shape, dtype, share): with share the tensor uses the array's own memory and keeps it alive.
Napi::Value FromTypedArray(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  drain_released_buffers();
  if (!info[0].IsTypedArray()) throw Napi::TypeError::New(env, "expected a typed array");
  auto array = info[0].As<Napi::TypedArray>();
  auto sizes = sizes_of(info[1]);
  auto type = dtype_of(env, info[2].As<Napi::String>().Utf8Value());
  bool share = info[3].ToBoolean();
  auto bytes = bytes_of(env, sizes, type);
  if (static_cast<int64_t>(array.ByteLength()) != bytes)
    throw Napi::RangeError::New(env, "the array has " + std::to_string(array.ByteLength()) + " bytes, the shape asks for " +
                                         std::to_string(bytes));
  // napi_get_typedarray_info also answers for arrays over a SharedArrayBuffer, which ArrayBuffer() would refuse.
  void* memory = nullptr;
  napi_status status = napi_get_typedarray_info(env, array, nullptr, nullptr, &memory, nullptr, nullptr);
  if (status != napi_ok) throw Napi::TypeError::New(env, "the typed array has no memory");
  return guarded(env, [&]() -> Napi::Value {
    auto options = at::TensorOptions().dtype(type);
    if (!share) {
      auto tensor = at::empty(sizes, options);
      if (bytes > 0) std::memcpy(tensor.data_ptr(), memory, bytes);
      return TensorHandle::Wrap(env, tensor);
    }
    auto* reference = new Napi::ObjectReference(Napi::Persistent(info[0].As<Napi::Object>()));
    auto release = [reference](void*) {
      std::lock_guard<std::mutex> lock(released_mutex);
      released.push_back(reference);
    };
    return TensorHandle::Wrap(env, at::from_blob(memory, sizes, release, options));
  });
}

/// bytes(tensor, share) -> ArrayBuffer of the contiguous values; with share it is the tensor's own memory.
Napi::Value Bytes(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto& source = TensorHandle::Get(info[0]);
  bool share = info[1].ToBoolean();
  return guarded(env, [&]() -> Napi::Value {
    auto tensor = source.detach().to(at::kCPU).contiguous();
    auto length = static_cast<size_t>(tensor.nbytes());
    if (share && length > 0) {
      auto* owner = new at::Tensor(tensor);
      return Napi::ArrayBuffer::New(env, tensor.data_ptr(), length, [owner](Napi::Env, void*) { delete owner; });
    }
    auto buffer = Napi::ArrayBuffer::New(env, length);
    if (length > 0) std::memcpy(buffer.Data(), tensor.data_ptr(), length);
    return buffer;
  });
}

/// A file in memory, private to us: writing to a tensor of it changes the copy, never the file.
struct Mapping {
  void* memory = MAP_FAILED;
  size_t length = 0;
  ~Mapping() {
    if (memory != MAP_FAILED) munmap(memory, length);
  }
};

/// mapFile(path, [{ dtype, shape, begin }]) -> tensors over the mapped file. The caller has checked the offsets
/// against the header; they are checked against the file's real length once more here.
Napi::Value MapFile(const Napi::CallbackInfo& info) {
  auto env = info.Env();
  auto path = info[0].As<Napi::String>().Utf8Value();
  auto entries = info[1].As<Napi::Array>();
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw Napi::Error::New(env, "cannot open " + path + ": " + std::strerror(errno));
  auto mapping = std::make_shared<Mapping>();
  struct stat status{};
  if (fstat(file, &status) == 0 && status.st_size > 0) {
    mapping->length = static_cast<size_t>(status.st_size);
    mapping->memory = mmap(nullptr, mapping->length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  }
  close(file);
  if (mapping->memory == MAP_FAILED) throw Napi::Error::New(env, "cannot map " + path);
  return guarded(env, [&]() -> Napi::Value {
    auto tensors = Napi::Array::New(env, entries.Length());
    for (uint32_t i = 0; i < entries.Length(); i++) {
      auto entry = entries.Get(i).As<Napi::Object>();
      auto sizes = sizes_of(entry.Get("shape"));
      auto type = dtype_of(env, entry.Get("dtype").As<Napi::String>().Utf8Value());
      auto begin = entry.Get("begin").As<Napi::Number>().Int64Value();
      auto bytes = bytes_of(env, sizes, type);
      if (begin < 0 || bytes > static_cast<int64_t>(mapping->length) || begin > static_cast<int64_t>(mapping->length) - bytes)
        throw Napi::RangeError::New(env, path + ": a tensor reaches past the end of the file");
      auto* memory = static_cast<char*>(mapping->memory) + begin;
      auto options = at::TensorOptions().dtype(type);
      at::Tensor tensor;
      if (begin % static_cast<int64_t>(c10::elementSize(type)) == 0) {
        tensor = at::from_blob(memory, sizes, [mapping](void*) {}, options);
      } else {
        // Values that are not aligned cannot be used in place.
        tensor = at::empty(sizes, options);
        if (bytes > 0) std::memcpy(tensor.data_ptr(), memory, bytes);
      }
      tensors[i] = TensorHandle::Wrap(env, tensor);
    }
    return tensors;
  });
}

}  // namespace

void drain_released_buffers() {
  std::vector<Napi::ObjectReference*> ready;
  {
    std::lock_guard<std::mutex> lock(released_mutex);
    if (released.empty()) return;
    ready.swap(released);
  }
  for (auto* reference : ready) delete reference;
}

void init_data(Napi::Env env, Napi::Object exports) {
  exports.Set("fromTypedArray", Napi::Function::New(env, FromTypedArray, "fromTypedArray"));
  exports.Set("bytes", Napi::Function::New(env, Bytes, "bytes"));
  exports.Set("mapFile", Napi::Function::New(env, MapFile, "mapFile"));
}

}  // namespace resim
