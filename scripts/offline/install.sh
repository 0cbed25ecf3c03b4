#!/bin/sh
# Compiles the tensor addon against the libtorch of this machine: $RESIM_LIBTORCH, that of an installed PyTorch, or the
# system's. Needs a C++ compiler; CMake is used where it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
libtorch=${RESIM_LIBTORCH:-}
if [ -z "$libtorch" ] && command -v python3 >/dev/null; then
  libtorch=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null || true)
  # A distribution's PyTorch keeps headers and libraries elsewhere: then the system's are found without a hint.
  [ -f "$libtorch/lib/libtorch.so" ] && [ -d "$libtorch/include/ATen" ] || libtorch=
fi
compiler=${CXX:-g++}
command -v "$compiler" >/dev/null || { echo "install.sh: no C++ compiler ($compiler); set CXX" >&2; exit 1; }
if command -v cmake >/dev/null; then
  cmake -S libs/tensor/native -B build/cmake/tensor -DCMAKE_BUILD_TYPE=Release ${libtorch:+-DRESIM_LIBTORCH="$libtorch"} >build/cmake.log
  cmake --build build/cmake/tensor -j"$(nproc)" >>build/cmake.log
else
  [ -n "$libtorch" ] || { echo "install.sh: set RESIM_LIBTORCH, or install CMake to find the system's libtorch" >&2; exit 1; }
  standard=17
  # libtorch 2.9 and newer ask for C++20.
  version=$(cat "$libtorch"/include/torch/headeronly/version.h "$libtorch"/include/torch/csrc/api/include/torch/version.h 2>/dev/null || true)
  minor=$(printf '%s\n' "$version" | sed -n 's/.*TORCH_VERSION_MINOR \([0-9]*\).*/\1/p' | head -n 1)
  major=$(printf '%s\n' "$version" | sed -n 's/.*TORCH_VERSION_MAJOR \([0-9]*\).*/\1/p' | head -n 1)
  if [ "${major:-1}" -ge 2 ] && [ "${minor:-0}" -ge 9 ]; then standard=20; fi
  abi=0
  grep -q __cxx11 "$libtorch/lib/libc10.so" && abi=1
  cuda=
  [ -f "$libtorch/lib/libtorch_cuda.so" ] && cuda='-ltorch_cuda -lc10_cuda'
  # shellcheck disable=SC2086
  "$compiler" -std=c++$standard -O2 -fPIC -shared -fopenmp -fvisibility=hidden -DNAPI_VERSION=8 -DNODE_ADDON_API_CPP_EXCEPTIONS_ALL \
    -D_GLIBCXX_USE_CXX11_ABI=$abi -isystem node_modules/node-addon-api -isystem node_modules/node-api-headers/include \
    -isystem "$libtorch/include" -isystem "$libtorch/include/torch/csrc/api/include" libs/tensor/native/*.cc \
    -L"$libtorch/lib" -Wl,-rpath,"$libtorch/lib" -Wl,--no-as-needed -ltorch -ltorch_cpu -lc10 $cuda -o build/native/resim_tensor.node
fi
./resim-node -e '
import("./dist/libs/tensor/index.js").then(({ engineBuild }) => {
  const { libtorch, cuda } = engineBuild();
  console.log(`installed: libtorch ${libtorch}, ${cuda ? "CUDA" : "no CUDA"}`);
});'
