// The right stamp, but no entry symbol.
#include "blip3u/build_stamp.h"

extern "C" __attribute__((visibility("default"), used)) const char blip3u_build_stamp[] =
    "blip3u-build-stamp:" BLIP3U_BUILD_STAMP;
