#include "blip3u/image.h"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <fmt/format.h>
#include <png.h>

#include <array>
#include <memory>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/picture_formats.h"
#include "io/png_chunks.h"

namespace blip3u {

namespace {

constexpr std::int64_t largest_side = 16384;
constexpr std::int64_t largest_area = 100'000'000;

bool is_webp(std::string_view bytes) { return bytes.starts_with("RIFF") && bytes.find("WEBP", 4) == 8; }

/// What a file is that is no picture of a known format, by its first bytes; empty if that is not known either.
std::string_view other_format(std::string_view bytes) {
  struct Format {
    std::size_t offset;
    std::string_view bytes, name;
  };
  constexpr std::array<Format, 10> formats = {{{0, "GIF8", "a GIF"},
                                               {0, "BM", "a BMP"},
                                               {0, "II*", "a TIFF"},
                                               {0, std::string_view("MM\0*", 4), "a TIFF"},
                                               {4, "ftyphei", "a HEIC"},
                                               {4, "ftypmif1", "a HEIC"},
                                               {4, "ftypavif", "an AVIF"},
                                               {0, "version https://git-lfs", "a pointer of Git LFS, not the file"},
                                               {0, "<!DOCTYPE html", "a web page"},
                                               {0, "<html", "a web page"}}};
  for (const Format& format : formats) {
    if (bytes.size() > format.offset && bytes.substr(format.offset).starts_with(format.bytes)) return format.name;
  }
  return {};
}

void check_picture(const Tensor& image) {
  if (!image.defined() || image.dim() != 3 || image.size(0) != 3 || image.size(1) < 1 || image.size(2) < 1) {
    throw Error("a picture must be a tensor [3,H,W] with at least one pixel");
  }
}

}  // namespace

void check_picture_size(std::int64_t width, std::int64_t height, const std::string& name) {
  if (width < 1 || height < 1) {
    throw Error(fmt::format("{}: the picture is {} x {} pixels and so has no content; remove or replace it", name,
                            width, height));
  }
  if (width > largest_side || height > largest_side || width * height > largest_area) {
    throw Error(
        fmt::format("{}: the picture is {} x {} pixels, more than the {} a side or {} megapixels that are allowed; "
                    "scale it down",
                    name, width, height, largest_side, largest_area / 1'000'000));
  }
}

void throw_damaged(const std::string& name, const char* format, std::string_view reason) {
  throw Error(fmt::format("{}: truncated or damaged {} ({}); replace the file", name, format, reason));
}

void throw_cut(const std::string& name, const char* format) {
  throw Error(
      fmt::format("{}: a {} that was cut off, its end is missing; copy it anew from where it came", name, format));
}

Tensor on_white(const Tensor& pixels) {
  const Tensor planes = pixels.permute({2, 0, 1}).contiguous();
  Tensor colour = from_bytes(planes.narrow(0, 0, 3));
  const Tensor alpha = planes.narrow(0, 3, 1);
  if (alpha.eq(255).all().item<bool>()) return colour;
  return colour.sub_(1).mul_(alpha.to(at::kFloat).div_(255)).add_(1);  // white is 1
}

Tensor to_bytes(const Tensor& image) {
  return image.detach().to(at::kCPU, at::kFloat).clamp(-1, 1).add_(1).mul_(127.5).round_().to(at::kByte);
}

Tensor from_bytes(const Tensor& bytes) {
  return bytes.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).div_(127.5).sub_(1);
}

Tensor decode_image(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with(png_signature)) return decode_png(bytes, name);
  if (bytes.starts_with("\xFF\xD8")) return decode_jpeg(bytes, name);
  if (is_webp(bytes)) return decode_webp(bytes, name);
  if (bytes.empty()) throw Error(fmt::format("{}: an empty file; replace it", name));
  const std::string_view other = other_format(bytes);
  throw Error(fmt::format("{}: {}neither PNG, JPEG nor WebP, by its first bytes; convert it to one of them", name,
                          other.empty() ? "" : fmt::format("{}, ", other)));
}

Tensor read_image(const std::filesystem::path& path) { return decode_image(read_text(path), path.string()); }

std::string encode_png(const Tensor& image) {
  check_picture(image);
  const Tensor pixels = to_bytes(image).permute({1, 2, 0}).contiguous();
  png_image writer{};
  writer.version = PNG_IMAGE_VERSION;
  writer.format = PNG_FORMAT_RGB;
  writer.height = static_cast<png_uint_32>(pixels.size(0));
  writer.width = static_cast<png_uint_32>(pixels.size(1));
  const std::unique_ptr<png_image, void (*)(png_image*)> guard(&writer, png_image_free);
  png_alloc_size_t length = PNG_IMAGE_PNG_SIZE_MAX(writer);
  std::string result(length, '\0');
  if (png_image_write_to_memory(&writer, result.data(), &length, 0, pixels.data_ptr(), 0, nullptr) == 0) {
    throw Error(fmt::format("a picture of {} x {} pixels cannot be encoded as PNG: {}", writer.width, writer.height,
                            writer.message));
  }
  result.resize(length);
  return result;
}

void write_png(const std::filesystem::path& path, const Tensor& image) { write_atomically(path, encode_png(image)); }

Tensor resize_image(const Tensor& image, std::int64_t size) {
  check_picture(image);
  if (size < 1) throw Error(fmt::format("a picture cannot be resized to {} pixels a side", size));
  const std::int64_t side = std::min(image.size(1), image.size(2));
  const Tensor square = image.narrow(1, (image.size(1) - side) / 2, side).narrow(2, (image.size(2) - side) / 2, side);
  if (side == size) return square.contiguous();
  return at::_upsample_bicubic2d_aa(square.unsqueeze(0), {size, size}, /*align_corners=*/false)
      .squeeze(0)
      .clamp_(-1, 1);
}

}  // namespace blip3u
