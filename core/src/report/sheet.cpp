#include "report/sheet.h"

#include <algorithm>

#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/say.h"

namespace blip3u {

namespace {
constexpr std::int64_t gap = 2, highest = 16384;
}

Sheet lay_out(const std::vector<Tensor>& pictures, std::int64_t columns) {
  if (columns < 1) throw Error("a sheet of pictures needs at least one column");
  std::int64_t tallest = 1, widest = 1;
  for (const Tensor& picture : pictures) {
    if (!picture.defined() || picture.dim() != 3 || picture.size(0) != 3) {
      throw Error("a sheet of pictures takes tensors [3,H,W]; the task gave another");
    }
    tallest = std::max(tallest, picture.size(1));
    widest = std::max(widest, picture.size(2));
  }
  const auto given = static_cast<std::int64_t>(pictures.size());
  const std::int64_t rows = std::min((given + columns - 1) / columns, (highest - gap) / (tallest + gap));
  const std::int64_t count = std::min(given, rows * columns),
                     shown_columns = std::clamp<std::int64_t>(count, 1, columns);
  if (count < given) say(fmt::format("a sheet of pictures shows only the first {} of {}", count, given));

  Sheet sheet;
  sheet.image =
      at::ones({3, gap + std::max<std::int64_t>(rows, 1) * (tallest + gap), gap + shown_columns * (widest + gap)});
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor& picture = pictures[static_cast<std::size_t>(i)];
    const Box box{.x = gap + i % columns * (widest + gap),
                  .y = gap + i / columns * (tallest + gap),
                  .width = picture.size(2),
                  .height = picture.size(1)};
    sheet.image.narrow(1, box.y, box.height).narrow(2, box.x, box.width).copy_(picture);
    sheet.boxes.push_back(box);
  }
  return sheet;
}

}  // namespace blip3u
