// Bytes as text.
#pragma once

#include <string>
#include <string_view>

#include "blip3u/export.h"

namespace blip3u {

BLIP3U_API std::string base64(std::string_view bytes);

}  // namespace blip3u
