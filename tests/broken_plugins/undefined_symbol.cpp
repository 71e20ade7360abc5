// Calls a function that no library has.
#include "blip3u/build_stamp.h"

extern "C" __attribute__((visibility("default"), used)) const char blip3u_build_stamp[] =
    "blip3u-build-stamp:" BLIP3U_BUILD_STAMP;

extern "C" const void* function_that_no_library_has();
extern "C" __attribute__((visibility("default"))) const void* blip3u_plugin() { return function_that_no_library_has(); }
