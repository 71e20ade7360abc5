#include "io/say.h"

#include <cstdio>
#include <string>

namespace blip3u {

void say(std::string_view text) { std::fputs((std::string(text) + '\n').c_str(), stderr); }

}  // namespace blip3u
