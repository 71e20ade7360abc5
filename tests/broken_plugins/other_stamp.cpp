// Built against another LibTorch. Its constructor must never run: the stamp is read before the file is opened.
#include <cstdlib>

extern "C" __attribute__((visibility("default"), used)) const char blip3u_build_stamp[] =
    "blip3u-build-stamp:blip3u 0.1; LibTorch 2.4.1; GNU 12; C++20";
extern "C" __attribute__((visibility("default"))) const void* blip3u_plugin() { return nullptr; }

namespace {
struct Trap {
  Trap() { std::abort(); }
} trap;
}  // namespace
