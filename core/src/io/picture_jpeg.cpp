#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <turbojpeg.h>

#include <memory>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/exif.h"
#include "io/picture_formats.h"
#include "io/picture_warnings.h"

namespace blip3u {

namespace {

/// What the markers before the first scan say (ITU T.81, annex B).
struct Markers {
  unsigned char process = 0;  ///< of the frame, 0xC0 to 0xCF; 0: there is no frame
  unsigned char precision = 8;
  std::string_view exif;
  bool ended = false;  ///< an end follows what is there
};

bool is_frame(unsigned char marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

Markers markers_of(std::string_view jpeg) {
  constexpr unsigned char scan = 0xDA, end = 0xD9, application1 = 0xE1;
  Markers markers;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(jpeg[at]); };
  std::size_t at = 2;
  while (at + 4 <= jpeg.size()) {
    if (byte(at) != 0xFF || byte(at + 1) == 0xFF) {  // what lies between segments, and bytes that fill up
      ++at;
      continue;
    }
    const unsigned char marker = byte(at + 1);
    if (marker == scan || marker == end) break;
    const std::size_t length = std::size_t{byte(at + 2)} << 8 | byte(at + 3);
    const std::string_view content = jpeg.substr(at + 4, length < 2 ? 0 : length - 2);
    if (marker == application1 && markers.exif.empty() && content.starts_with("Exif")) markers.exif = content;
    if (is_frame(marker) && !content.empty()) {
      markers.process = marker;
      markers.precision = static_cast<unsigned char>(content[0]);
    }
    at += 2 + length;
  }
  // A thumbnail has an end of its own, which lies in a segment before.
  markers.ended = at < jpeg.size() && jpeg.find("\xFF\xD9", at) != std::string_view::npos;
  return markers;
}

/// Throws Error for the kinds that are told apart here and that the library cannot read.
void check_kind(const Markers& markers, const std::string& name) {
  if (markers.process == 0xC3 || markers.process == 0xC7 || markers.process == 0xCB || markers.process == 0xCF) {
    throw Error(fmt::format("{}: a lossless JPEG, which few programs can read; save it as PNG", name));
  }
  if (markers.precision != 8) {
    throw Error(
        fmt::format("{}: a JPEG with {} bits a colour, not 8; save it with 8, or as PNG", name, markers.precision));
  }
}

}  // namespace

Tensor decode_jpeg(std::string_view bytes, const std::string& name) {
  const Markers markers = markers_of(bytes);
  check_kind(markers, name);
  const std::unique_ptr<void, int (*)(void*)> reader(tjInitDecompress(), tjDestroy);
  if (!reader) throw Error(fmt::format("{}: TurboJPEG cannot start: {}", name, tjGetErrorStr2(nullptr)));
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  // A warning is remembered, unless it is for what is missing at the end.
  const auto check = [&](int outcome) {
    if (outcome == 0) return;
    if (!markers.ended) throw_cut(name, "JPEG");
    if (tjGetErrorCode(reader.get()) != TJERR_WARNING) throw_damaged(name, "JPEG", tjGetErrorStr2(reader.get()));
    note_picture_warning(name, tjGetErrorStr2(reader.get()));
  };
  int width = 0, height = 0, subsampling = 0, colours = 0;
  check(tjDecompressHeader3(reader.get(), data, bytes.size(), &width, &height, &subsampling, &colours));
  check_picture_size(width, height, name);
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) {
    throw Error(fmt::format("{}: a JPEG in printing colours (CMYK); save it as RGB", name));
  }
  const Tensor pixels = at::empty({height, width, 3}, at::TensorOptions(at::kCPU).dtype(at::kByte));
  check(tjDecompress2(reader.get(), data, bytes.size(), static_cast<unsigned char*>(pixels.data_ptr()), width, 0,
                      height, TJPF_RGB, TJFLAG_ACCURATEDCT));
  return upright(from_bytes(pixels.permute({2, 0, 1}).contiguous()), orientation_of(markers.exif));
}

}  // namespace blip3u
