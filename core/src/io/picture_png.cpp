#include <ATen/ops/empty.h>
#include <png.h>

#include <memory>

#include "io/big_endian.h"
#include "io/exif.h"
#include "io/picture_formats.h"
#include "io/picture_warnings.h"
#include "io/png_chunks.h"

namespace blip3u {

namespace {

constexpr std::string_view png_end("IEND\xAE\x42\x60\x82", 8);

/// The content of the first chunk of this type; empty if there is none.
std::string_view content_of(std::string_view png, std::string_view type) {
  std::size_t place = png_signature.size();
  while (const auto chunk = take_chunk(png, place)) {
    if (chunk->type == type) return chunk->content;
  }
  return {};
}

}  // namespace

Tensor decode_png(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 33 || bytes.substr(12, 4) != "IHDR") throw_damaged(name, "PNG", "no header");
  const std::int64_t width = big_endian(bytes, 16);
  const std::int64_t height = big_endian(bytes, 20);
  check_picture_size(width, height, name);
  if (bytes.rfind(png_end) == std::string_view::npos) throw_damaged(name, "PNG", "its end is missing");

  png_image reader{};
  reader.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> guard(&reader, png_image_free);
  if (png_image_begin_read_from_memory(&reader, bytes.data(), bytes.size()) == 0) {
    throw_damaged(name, "PNG", reader.message);
  }
  reader.format = PNG_FORMAT_RGBA;
  reader.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // as everybody else reads them
  const Tensor pixels = at::empty({height, width, 4}, at::TensorOptions(at::kCPU).dtype(at::kByte));
  if (png_image_finish_read(&reader, nullptr, pixels.data_ptr(), 0, nullptr) == 0) {
    throw_damaged(name, "PNG", reader.message);
  }
  if (reader.warning_or_error != 0) note_picture_warning(name, reader.message);
  return upright(on_white(pixels), orientation_of(content_of(bytes, "eXIf")));
}

}  // namespace blip3u
