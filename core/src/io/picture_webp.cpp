#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <webp/decode.h>

#include <cstddef>

#include "blip3u/error.h"
#include "io/exif.h"
#include "io/picture_formats.h"

namespace blip3u {

namespace {

/// The content of the first chunk of this type; empty if there is none (RIFF: type, length with its low byte first,
/// content, and a byte more where that is odd).
std::string_view chunk_of(std::string_view riff, std::string_view type) {
  for (std::size_t at = 12; at + 8 <= riff.size();) {
    std::size_t length = 0;
    for (std::size_t i = 4; i-- > 0;) length = length << 8 | static_cast<unsigned char>(riff[at + 4 + i]);
    if (length > riff.size() - at - 8) break;
    if (riff.substr(at, 4) == type) return riff.substr(at + 8, length);
    at += 8 + length + length % 2;
  }
  return {};
}

[[noreturn]] void throw_unreadable(VP8StatusCode status, const std::string& name) {
  if (status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED) throw_cut(name, "WebP");
  throw_damaged(name, "WebP", status == VP8_STATUS_UNSUPPORTED_FEATURE ? "a kind that is not known" : "bad data");
}

}  // namespace

Tensor decode_webp(std::string_view bytes, const std::string& name) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) throw Error(fmt::format("{}: libwebp is of another version", name));
  if (const auto status = WebPGetFeatures(data, bytes.size(), &config.input); status != VP8_STATUS_OK) {
    throw_unreadable(status, name);
  }
  const std::int64_t width = config.input.width, height = config.input.height;
  check_picture_size(width, height, name);
  if (config.input.has_animation != 0) throw Error(fmt::format("{}: a WebP that moves; save one picture of it", name));
  const Tensor pixels = at::empty({height, width, 4}, at::TensorOptions(at::kCPU).dtype(at::kByte));
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {.rgba = static_cast<std::uint8_t*>(pixels.data_ptr()),
                          .stride = static_cast<int>(4 * width),
                          .size = static_cast<std::size_t>(pixels.numel())};
  const auto status = WebPDecode(data, bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) throw_unreadable(status, name);
  return upright(on_white(pixels), orientation_of(chunk_of(bytes, "EXIF")));
}

}  // namespace blip3u
