// The formats of pictures, each read by its own library. What they share is checked here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "blip3u/tensor.h"

namespace blip3u {

/// A picture's content as [3,H,W] float32 in [-1,1], upright. Throws Error that begins with `name`.
Tensor decode_png(std::string_view bytes, const std::string& name);
Tensor decode_jpeg(std::string_view bytes, const std::string& name);
Tensor decode_webp(std::string_view bytes, const std::string& name);

/// Throws Error for a picture without pixels, or one that is too large to be read.
void check_picture_size(std::int64_t width, std::int64_t height, const std::string& name);

[[noreturn]] void throw_damaged(const std::string& name, const char* format, std::string_view reason);

/// For a file of which only the beginning is there.
[[noreturn]] void throw_cut(const std::string& name, const char* format);

/// [H,W,4] bytes laid on white: [3,H,W] float32 in [-1,1].
Tensor on_white(const Tensor& pixels);

}  // namespace blip3u
