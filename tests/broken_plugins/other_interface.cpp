// A descriptor of a later interface, of which only the first two fields can be read.
#include <cstdint>

#include "blip3u/build_stamp.h"

extern "C" __attribute__((visibility("default"), used)) const char blip3u_build_stamp[] =
    "blip3u-build-stamp:" BLIP3U_BUILD_STAMP;
extern "C" __attribute__((visibility("default"))) const void* blip3u_plugin() {
  static constexpr std::uint32_t descriptor[] = {999, 8};
  return descriptor;
}
