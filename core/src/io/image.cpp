#include "blip3u/image.h"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <memory>

#include "blip3u/error.h"
#include "io/big_endian.h"
#include "io/files.h"

namespace blip3u {

namespace {

constexpr std::int64_t largest_side = 16384;
constexpr std::int64_t largest_area = 100'000'000;
constexpr std::string_view png_signature("\x89PNG\r\n\x1a\n", 8);
constexpr std::string_view png_end("IEND\xAE\x42\x60\x82", 8);

void check_size(std::int64_t width, std::int64_t height, const std::string& name) {
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

[[noreturn]] void throw_damaged(const std::string& name, const char* format, std::string_view reason) {
  throw Error(fmt::format("{}: truncated or damaged {} ({}); replace the file", name, format, reason));
}

Tensor decode_png(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 33 || bytes.substr(12, 4) != "IHDR") throw_damaged(name, "PNG", "no header");
  const std::int64_t width = big_endian(bytes, 16);
  const std::int64_t height = big_endian(bytes, 20);
  check_size(width, height, name);
  if (bytes.rfind(png_end) == std::string_view::npos) throw_damaged(name, "PNG", "its end is missing");

  png_image reader{};
  reader.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> guard(&reader, png_image_free);
  if (png_image_begin_read_from_memory(&reader, bytes.data(), bytes.size()) == 0) {
    throw_damaged(name, "PNG", reader.message);
  }
  reader.format = PNG_FORMAT_RGBA;
  reader.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // as everybody else reads them
  Tensor pixels = at::empty({height, width, 4}, at::TensorOptions(at::kCPU).dtype(at::kByte));
  if (png_image_finish_read(&reader, nullptr, pixels.data_ptr(), 0, nullptr) == 0) {
    throw_damaged(name, "PNG", reader.message);
  }
  const Tensor planes = pixels.permute({2, 0, 1}).contiguous();
  Tensor colour = from_bytes(planes.narrow(0, 0, 3));
  const Tensor alpha = planes.narrow(0, 3, 1);
  if (alpha.eq(255).all().item<bool>()) return colour;
  return colour.sub_(1).mul_(alpha.to(at::kFloat).div_(255)).add_(1);  // white is 1
}

Tensor decode_jpeg(std::string_view bytes, const std::string& name) {
  const std::unique_ptr<void, int (*)(void*)> reader(tjInitDecompress(), tjDestroy);
  if (!reader) throw Error(fmt::format("{}: TurboJPEG cannot start: {}", name, tjGetErrorStr2(nullptr)));
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(reader.get(), data, bytes.size(), &width, &height, &subsampling, &colours) != 0) {
    throw_damaged(name, "JPEG", tjGetErrorStr2(reader.get()));
  }
  check_size(width, height, name);
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) {
    throw Error(fmt::format("{}: a JPEG in printing colours (CMYK); save it as RGB", name));
  }
  Tensor pixels = at::empty({height, width, 3}, at::TensorOptions(at::kCPU).dtype(at::kByte));
  // Warnings count as errors: what is truncated is reported as one.
  if (tjDecompress2(reader.get(), data, bytes.size(), static_cast<unsigned char*>(pixels.data_ptr()), width, 0, height,
                    TJPF_RGB, TJFLAG_ACCURATEDCT) != 0) {
    throw_damaged(name, "JPEG", tjGetErrorStr2(reader.get()));
  }
  return from_bytes(pixels.permute({2, 0, 1}).contiguous());
}

void check_picture(const Tensor& image) {
  if (!image.defined() || image.dim() != 3 || image.size(0) != 3 || image.size(1) < 1 || image.size(2) < 1) {
    throw Error("a picture must be a tensor [3,H,W] with at least one pixel");
  }
}

}  // namespace

Tensor to_bytes(const Tensor& image) {
  return image.detach().to(at::kCPU, at::kFloat).clamp(-1, 1).add_(1).mul_(127.5).round_().to(at::kByte);
}

Tensor from_bytes(const Tensor& bytes) {
  return bytes.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).div_(127.5).sub_(1);
}

Tensor decode_image(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with(png_signature)) return decode_png(bytes, name);
  if (bytes.starts_with("\xFF\xD8")) return decode_jpeg(bytes, name);
  if (bytes.empty()) throw Error(fmt::format("{}: an empty file; replace it", name));
  throw Error(fmt::format("{}: neither PNG nor JPEG, by its first bytes; convert it to one of them", name));
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
