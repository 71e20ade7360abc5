#include "pipeline/device.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include "blip3u/error.h"

namespace blip3u {

namespace {

// Returns an empty string if LibTorch can use a GPU now, else why not.
std::string load_cuda() {
  static const std::string reason = []() -> std::string {
    if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr)
      return "no NVIDIA driver (libcuda.so.1) is installed";
    if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      return fmt::format("LibTorch's CUDA part cannot be loaded ({})", dlerror());
    }
    if (!at::detail::getCUDAHooks().hasCUDA()) return "the driver offers no usable GPU";
    return {};
  }();
  return reason;
}

}  // namespace

at::Device open_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  const std::string missing = load_cuda();
  if (name == "auto") return missing.empty() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  if (!missing.empty()) {
    throw Error(
        fmt::format("device `{}`: {}; use `device=cpu`, or `device=auto` to take what is there", name, missing));
  }
  const at::Device device(name == "cuda" ? "cuda:0" : name);
  const auto count = at::detail::getCUDAHooks().deviceCount();
  if (device.index() >= count) {
    throw Error(fmt::format("device `{}`: this machine has {} GPU(s); the first is cuda:0", name, count));
  }
  return device;
}

void fix_arithmetic() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setBenchmarkCuDNN(false);
}

}  // namespace blip3u
