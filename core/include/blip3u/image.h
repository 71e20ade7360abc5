// Pictures as tensors. A picture is [3,H,W] float32 in [-1,1], red first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// Reads a PNG or JPEG file, whichever its first bytes say, onto the CPU. Transparent pixels are laid on white; grey,
/// palette and 16-bit pictures are converted. Throws Error naming the file if it is neither, truncated, damaged, empty,
/// or beyond 16384 pixels a side or 100 megapixels; the size is checked before anything is allocated.
BLIP3U_API Tensor read_image(const std::filesystem::path& path);

/// The same for a file's content; `name` is what errors call it.
BLIP3U_API Tensor decode_image(std::string_view bytes, const std::string& name);

/// Writes an 8-bit RGB PNG; values beyond [-1,1] are clamped. The file appears complete or not at all.
BLIP3U_API void write_png(const std::filesystem::path& path, const Tensor& image);
BLIP3U_API std::string encode_png(const Tensor& image);

/// Pixels in [-1,1] as bytes on the CPU, clamped and rounded, and back.
BLIP3U_API Tensor to_bytes(const Tensor& image);
BLIP3U_API Tensor from_bytes(const Tensor& bytes);

/// The central square of a picture at size x size pixels, by antialiased bicubic interpolation.
BLIP3U_API Tensor resize_image(const Tensor& image, std::int64_t size);

}  // namespace blip3u
