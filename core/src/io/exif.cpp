#include "io/exif.h"

#include <cstddef>
#include <optional>

#include <ATen/ops/flip.h>

namespace blip3u {

namespace {

constexpr std::uint16_t orientation_tag = 0x112, short_type = 3;
constexpr std::uint16_t first = 1, last = 8;

/// Numbers of a TIFF structure, in the byte order that it names. What lies behind its end is nothing.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes)
      : bytes_(bytes), little_(bytes.starts_with("II")), valid_(little_ || bytes.starts_with("MM")) {}

  bool valid() const { return valid_ && number(2, 2) == 42; }

  std::optional<std::uint32_t> number(std::size_t offset, std::size_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes_[offset + (little_ ? size - 1 - i : i)]);
    }
    return value;
  }

 private:
  std::string_view bytes_;
  bool little_, valid_;
};

}  // namespace

std::uint16_t orientation_of(std::string_view exif) {
  constexpr std::string_view prefix("Exif\0\0", 6);
  if (exif.starts_with(prefix)) exif.remove_prefix(prefix.size());
  const Tiff tiff(exif);
  const auto directory = tiff.number(4, 4);
  if (!tiff.valid() || !directory) return first;
  const auto entries = tiff.number(*directory, 2);
  for (std::size_t i = 0; i < entries.value_or(0); ++i) {
    constexpr std::size_t entry_size = 12;
    const std::size_t entry = *directory + 2 + entry_size * i;
    const auto tag = tiff.number(entry, 2);
    if (!tag) break;
    if (*tag != orientation_tag || tiff.number(entry + 2, 2) != short_type) continue;
    const auto value = tiff.number(entry + 8, 2).value_or(first);
    return value >= first && value <= last ? static_cast<std::uint16_t>(value) : first;
  }
  return first;
}

Tensor upright(const Tensor& image, std::uint16_t orientation) {
  constexpr std::int64_t rows = 1, columns = 2;
  switch (orientation) {
    case 2: return image.flip({columns});
    case 3: return image.flip({rows, columns});
    case 4: return image.flip({rows});
    case 5: return image.transpose(rows, columns).contiguous();
    case 6: return image.transpose(rows, columns).flip({columns});
    case 7: return image.transpose(rows, columns).flip({rows, columns});
    case 8: return image.transpose(rows, columns).flip({rows});
    default: return image;
  }
}

}  // namespace blip3u
