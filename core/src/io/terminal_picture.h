// Pictures on terminals.
#pragma once

#include <functional>
#include <string>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// How a terminal takes pictures.
enum class Graphics {
  none,
  kitty,  ///< https://sw.kovidgoyal.net/kitty/graphics-protocol
  sixel,  ///< of the VT340
};

/// What the terminal that the environment speaks of can do; `variable` gives the value of a variable, "" if it is not
/// set. Terminals that show sixel only if told to are not asked to, and none inside of tmux or screen, which lose it.
BLIP3U_API Graphics graphics_of(const std::function<std::string(const char*)>& variable);

/// What to write to the terminal so that it shows a picture [3,H,W] in [-1,1], enlarged if it is small; sixel in 216
/// colours. Empty for Graphics::none.
BLIP3U_API std::string terminal_picture(Graphics graphics, const Tensor& image);

}  // namespace blip3u
