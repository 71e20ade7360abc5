// Text in SVG and HTML.
#pragma once

#include <string>
#include <string_view>

#include "blip3u/export.h"

namespace blip3u {

/// Text as it stands in an element or a quoted attribute of XML and HTML. Control characters, which XML cannot hold,
/// become U+FFFD.
BLIP3U_API std::string escape_markup(std::string_view text);

}  // namespace blip3u
