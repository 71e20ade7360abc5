// An entry function that does work, and fails at it.
#include <stdexcept>

#include "blip3u/build_stamp.h"

extern "C" __attribute__((visibility("default"), used)) const char blip3u_build_stamp[] =
    "blip3u-build-stamp:" BLIP3U_BUILD_STAMP;
extern "C" __attribute__((visibility("default"))) const void* blip3u_plugin() { throw std::runtime_error("busy"); }
