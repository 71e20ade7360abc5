#include "blip3u/image.h"

#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include "io/files.h"
#include "io/picture_warnings.h"
#include "support.h"

namespace blip3u {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::filesystem::path data(const std::string& name) {
  return std::filesystem::path(BLIP3U_TEST_DATA) / "images" / name;
}

Tensor pixels(const Tensor& image) { return image.add(1).mul(127.5).round().to(at::kInt); }

// The patterns of tests/data/make_images.py.
Tensor rgb_pattern() { return at::arange(36, at::kInt).mul(7).remainder(256).view({3, 4, 3}).permute({2, 0, 1}); }
Tensor grey_pattern() { return at::arange(12, at::kInt).mul(20).view({1, 3, 4}).expand({3, 3, 4}); }

TEST(Image, ReadsWhatPillowWrote) {
  EXPECT_TRUE(pixels(read_image(data("rgb.png"))).equal(rgb_pattern()));
  EXPECT_TRUE(pixels(read_image(data("grey.png"))).equal(grey_pattern()));
  EXPECT_TRUE(pixels(read_image(data("grey16.png"))).equal(grey_pattern()));

  const Tensor index = at::arange(12).view({3, 4}).remainder(3);
  const Tensor palette = at::stack({index.eq(0), index.eq(1), index.eq(2)}).to(at::kInt).mul(255);
  EXPECT_TRUE(pixels(read_image(data("palette.png"))).equal(palette));

  const Tensor alpha = at::tensor({255.0, 128.0, 0.0, 51.0}).div(255).view({1, 1, 4});
  const Tensor on_white = rgb_pattern() * alpha + 255 * (1 - alpha);
  EXPECT_LT((read_image(data("alpha.png")).add(1).mul(127.5) - on_white).abs().max().item<double>(), 1e-3);
}

TEST(Image, ReadsJpeg) {
  const Tensor image = read_image(data("gradient.jpg")).add(1).mul(127.5);
  ASSERT_EQ(image.sizes(), at::IntArrayRef({3, 24, 32}));
  const Tensor red = at::arange(32).mul(8).view({1, 32}).expand({24, 32});
  const Tensor green = at::arange(24).mul(10).view({24, 1}).expand({24, 32});
  EXPECT_LT((image[0] - red).abs().mean().item<double>(), 4);  // lossy
  EXPECT_LT((image[1] - green).abs().mean().item<double>(), 4);
  EXPECT_LT((image[2] - 60).abs().mean().item<double>(), 6);
}

TEST(Image, ReadsWebp) {
  const Tensor alpha = at::tensor({255.0, 128.0, 0.0, 51.0}).div(255).view({1, 1, 4});
  const Tensor on_white = rgb_pattern() * alpha + 255 * (1 - alpha);
  EXPECT_LT((read_image(data("alpha.webp")).add(1).mul(127.5) - on_white).abs().max().item<double>(), 1e-3);
  const Tensor lossy = read_image(data("gradient.webp")), same = read_image(data("gradient.jpg"));
  EXPECT_LT((lossy - same).abs().mul(127.5).mean().item<double>(), 6);
  EXPECT_THAT(message_of([] { read_image(data("moving.webp")); }),
              HasSubstr("moving.webp: a WebP that moves; save one"));
}

TEST(Image, IsSetUpright) {
  const Tensor upright = read_image(data("upright.png"));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Tensor jpeg = read_image(data(fmt::format("orientation-{}.jpg", orientation)));
    ASSERT_EQ(jpeg.sizes(), upright.sizes()) << orientation;
    EXPECT_LT((jpeg - upright).abs().mul(127.5).mean().item<double>(), 4) << orientation;
  }
  for (const char* name : {"orientation-1.png", "orientation-6.png", "orientation-1.webp", "orientation-6.webp"}) {
    EXPECT_TRUE(at::allclose(read_image(data(name)), upright, 0, 1e-6)) << name;
  }
}

TEST(Image, MalformedExifIsLeftAlone) {
  const std::string whole = read_text(data("orientation-6.jpg"));
  const std::size_t exif = whole.find("Exif");
  ASSERT_NE(exif, std::string::npos);
  for (std::size_t place = exif; place < exif + 32; ++place) {
    std::string altered = whole;
    altered[place] = static_cast<char>(altered[place] ^ 0xFF);
    EXPECT_EQ(decode_image(altered, "altered").numel(), 3 * 8 * 12) << place;
  }
}

TEST(Image, KindsOfJpegThatCannotBeReadAreCalledThat) {
  const std::string whole = read_text(data("gradient.jpg"));
  const std::size_t frame = whole.find("\xFF\xC0");
  const auto message = [&](std::size_t place, char byte) {
    std::string altered = whole;
    altered[place] = byte;
    return message_of([&] { decode_image(altered, "odd.jpg"); });
  };
  EXPECT_THAT(message(frame + 4, 12), HasSubstr("odd.jpg: a JPEG with 12 bits a colour, not 8; save it"));
  EXPECT_THAT(message(frame + 1, '\xC3'), HasSubstr("odd.jpg: a lossless JPEG, which few programs can read; save it"));
}

TEST(Image, ACutJpegIsCalledCut) {
  for (const char* name : {"gradient.jpg", "progressive.jpg"}) {
    const std::string whole = read_text(data(name));
    for (const std::size_t length : {whole.size() / 4, whole.size() / 2, whole.size() - 10}) {
      EXPECT_THAT(message_of([&] { decode_image(std::string_view(whole).substr(0, length), "cut.jpg"); }),
                  HasSubstr("cut.jpg: a JPEG that was cut off, its end is missing; copy it anew"))
          << name << " at " << length;
    }
    EXPECT_TRUE(decode_image(whole + "what a camera appends", "x").equal(decode_image(whole, "x")));
  }
  const std::string webp = read_text(data("gradient.webp"));
  EXPECT_THAT(message_of([&] { decode_image(std::string_view(webp).substr(0, webp.size() / 2), "cut.webp"); }),
              HasSubstr("cut.webp: a WebP that was cut off"));
}

TEST(Image, AWarningIsNoError) {
  take_picture_warnings();
  const std::string whole = read_text(data("gradient.jpg"));
  std::string padded = whole;
  padded.insert(padded.size() - 2, "stray");
  EXPECT_TRUE(decode_image(padded, "stray.jpg").equal(decode_image(whole, "whole.jpg")));
  EXPECT_TRUE(pixels(read_image(data("profile.png"))).equal(rgb_pattern()));
  decode_image(padded, "stray.jpg");
  EXPECT_THAT(take_picture_warnings(),
              ElementsAre(AllOf(HasSubstr("profile.png: "), HasSubstr("iCCP")), HasSubstr("stray.jpg: ")));
  EXPECT_THAT(take_picture_warnings(), IsEmpty());
}

TEST(Image, RoundTrip) {
  const Tensor image = at::arange(3 * 5 * 7).view({3, 5, 7}).mul(2).to(at::kFloat).div(127.5).sub(1);
  const TemporaryFolder folder;
  write_png(folder / "picture.png", image);
  EXPECT_TRUE(at::allclose(read_image(folder / "picture.png"), image, 0, 1e-6));
  const Tensor beyond = decode_image(encode_png(image * 9), "picture");
  EXPECT_TRUE(at::allclose(beyond, (image * 9).clamp(-1, 1), 0, 1 / 127.5));
  EXPECT_THROW(encode_png(at::zeros({1, 4, 4})), Error);
}

TEST(Image, TruncatedAnywhereIsAnError) {
  for (const char* name : {"rgb.png", "palette.png", "gradient.jpg", "gradient.webp", "alpha.webp"}) {
    const std::string whole = read_text(data(name));
    for (std::size_t length = 0; length<whole.size(); length += whole.size()> 300 ? 7 : 1) {
      if (std::string(name).ends_with(".jpg") && length + 2 >= whole.size()) continue;  // only its end mark is lost
      const std::string message = message_of([&] { decode_image(std::string_view(whole).substr(0, length), "cut.x"); });
      EXPECT_THAT(message, AllOf(StartsWith("cut.x: "), HasSubstr("; "))) << name << " cut at " << length;
    }
  }
}

TEST(Image, AlteredBytesNeverCrash) {
  for (const char* name : {"rgb.png", "gradient.jpg", "orientation-6.jpg", "alpha.webp", "orientation-6.webp"}) {
    const std::string whole = read_text(data(name));
    for (std::size_t place = 0; place < whole.size(); ++place) {
      std::string altered = whole;
      altered[place] = static_cast<char>(altered[place] ^ 0x55);
      message_of([&] { decode_image(altered, "altered"); });  // an Error or a picture; nothing else
    }
  }
}

/// The header of tests/data/images/gradient.jpg with other sides, before the same content.
std::string jpeg_of_size(std::uint16_t width, std::uint16_t height) {
  std::string jpeg = read_text(data("gradient.jpg"));
  const std::size_t frame = jpeg.find("\xFF\xC0");
  EXPECT_NE(frame, std::string::npos);
  return jpeg.replace(frame + 5, 4, big_endian(height).substr(2) + big_endian(width).substr(2));
}

TEST(Image, ImpossibleSizes) {
  const auto message = [](std::uint32_t width, std::uint32_t height) {
    std::string said = message_of([&] { decode_image(png_of_size(width, height), "odd.png"); });
    EXPECT_THAT(said, AllOf(StartsWith("odd.png: "), HasSubstr("; ")));
    return said;
  };
  EXPECT_THAT(message(0, 0), HasSubstr("the picture is 0 x 0 pixels and so has no content"));
  EXPECT_THAT(message(5, 0), HasSubstr("5 x 0 pixels"));
  EXPECT_THAT(message(60000, 60000), HasSubstr("the picture is 60000 x 60000 pixels, more than the 16384"));
  EXPECT_THAT(message(1, 60000), HasSubstr("1 x 60000 pixels, more than"));
  EXPECT_THAT(message(16000, 16000), HasSubstr("100 megapixels"));
  EXPECT_THAT(message(0xFFFFFFFF, 0xFFFFFFFF), HasSubstr("more than"));
  EXPECT_THAT(message(4, 4), HasSubstr("truncated or damaged PNG"));
  EXPECT_THAT(
      message_of([] { decode_image(jpeg_of_size(60000, 60000), "odd.jpg"); }),
      AllOf(HasSubstr("odd.jpg: the picture is 60000 x 60000 pixels, more than"), HasSubstr("; scale it down")));
}

/// Adds up the memory that this thread's tensors take while it is the thread's debug information.
struct MemoryCounter : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    if (size > 0) bytes += size;  // what is freed comes as negative sizes
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t bytes = 0;
};

TEST(Image, NoMemoryIsTakenForAPictureThatIsTooLarge) {
  const auto bytes_for = [](const std::string& content) {
    const auto counter = std::make_shared<MemoryCounter>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
    message_of([&] { decode_image(content, "x"); });
    return counter->bytes;
  };
  EXPECT_EQ(bytes_for(png_of_size(60000, 60000)), 0);
  EXPECT_EQ(bytes_for(jpeg_of_size(60000, 60000)), 0);
  EXPECT_GE(bytes_for(read_text(data("gradient.jpg"))), 24 * 32 * 3) << "what is taken is not counted";
}

TEST(Image, OtherFiles) {
  EXPECT_THAT(message_of([] { decode_image("GIF89a and so on", "a.gif"); }),
              HasSubstr("a.gif: a GIF, neither PNG, JPEG nor WebP, by its first bytes; convert it"));
  EXPECT_THAT(message_of([] { decode_image("something", "a.png"); }),
              HasSubstr("a.png: neither PNG, JPEG nor WebP, by its first bytes; convert it"));
  EXPECT_THAT(message_of([] { decode_image("version https://git-lfs.github.com/spec/v1\n", "a.png"); }),
              HasSubstr("a.png: a pointer of Git LFS, not the file"));
  EXPECT_THAT(message_of([] { decode_image("", "b.png"); }), HasSubstr("b.png: an empty file; replace it"));
  EXPECT_THAT(message_of([] { read_image("/nowhere/c.png"); }),
              AllOf(HasSubstr("/nowhere/c.png: cannot be opened"), HasSubstr("; check the path")));
}

TEST(Image, Resize) {
  const Tensor image = at::rand({3, 6, 10}).mul(2).sub(1);
  EXPECT_TRUE(resize_image(image, 6).equal(image.narrow(2, 2, 6)));
  EXPECT_EQ(resize_image(image, 4).sizes(), at::IntArrayRef({3, 4, 4}));
  // Halving by antialiased bicubic: a kernel of 8 taps, a = -0.5, as Pillow's.
  Tensor step = at::full({3, 16, 16}, -1.0);
  step.narrow(2, 8, 8).fill_(1);
  const Tensor half = resize_image(step, 8);
  const auto cubic = [](double x) {
    x = std::abs(x);
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
  };
  double left = 0, right = 0;
  for (int tap = 0; tap < 8; ++tap) {  // the output pixel just left of the edge, centred at input place 6.5
    const double weight = cubic((tap + 0.5 - 4) / 2);
    (3 + tap < 8 ? left : right) += weight;
  }
  EXPECT_NEAR(half[0][4][3].item<double>(), std::clamp((right - left) / (left + right), -1.0, 1.0), 1e-5);
  EXPECT_LE(half.abs().max().item<double>(), 1);  // overshoot is clamped
  EXPECT_THROW(resize_image(image, 0), Error);
}

TEST(Image, DiskThatFillsUp) {
  const TemporaryFolder folder;
  std::string message;
  {
    const FullDisk disk(100);
    message = message_of([&] { write_png(folder / "noise.png", at::rand({3, 64, 64})); });
  }
  EXPECT_THAT(message, HasSubstr("File too large"));
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(Image, NoSpaceLeftLeavesTheOldFile) {
  const TemporaryFolder folder;
  write_png(folder / "picture.png", at::zeros({3, 4, 4}));
  expect_no_space_for(folder / "picture.png", [&] { write_png(folder / "picture.png", at::ones({3, 4, 4})); });
}

}  // namespace
}  // namespace blip3u
