#include "pipeline/device.h"

#include <dlfcn.h>

#include <cstdlib>

#include <fmt/format.h>

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include "blip3u/error.h"
#include "io/say.h"

namespace blip3u {

namespace {

constexpr const char* no_driver = "no NVIDIA driver (libcuda.so.1) is installed";

void fix_arithmetic() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setBenchmarkCuDNN(false);
}

/// The same bits every time, which a CPU gives anyway.
at::Device deterministic_gpu(at::Device device) {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // cuBLAS repeats its bits only with a fixed workspace
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  at::globalContext().setSDPUseMemEfficient(false);  // its gradients differ from run to run
  return device;
}

// Returns an empty string if LibTorch can use a GPU now, else why not.
std::string load_cuda() {
  static const std::string reason = []() -> std::string {
    if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) return no_driver;
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
  fix_arithmetic();
  if (name == "cpu") return at::kCPU;
  const std::string missing = load_cuda();
  if (name == "auto") {
    if (missing.empty()) return deterministic_gpu({at::kCUDA, 0});
    if (missing != no_driver) say(fmt::format("blip3u: device `auto` takes the CPU: {}", missing));
    return at::kCPU;
  }
  if (!missing.empty()) {
    throw Error(
        fmt::format("device `{}`: {}; use `device=cpu`, or `device=auto` to take what is there", name, missing));
  }
  const at::Device device(name == "cuda" ? "cuda:0" : name);
  const auto count = at::detail::getCUDAHooks().deviceCount();
  if (device.index() >= count) {
    throw Error(fmt::format("device `{}`: this machine has {} GPU(s); the first is cuda:0", name, count));
  }
  return deterministic_gpu(device);
}

}  // namespace blip3u
