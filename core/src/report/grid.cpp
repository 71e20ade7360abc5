#include "report/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/files.h"
#include "io/say.h"
#include "report/canvas.h"

namespace blip3u {

namespace {

constexpr int gap = 14, narrowest = 96, line_height = 15, label_height = 2 * line_height + 6;
constexpr int highest = 32767;  // pixels, of any Cairo surface

void check_cells(const std::vector<GridCell>& cells, int columns, int scale) {
  if (columns < 1 || scale < 1) throw Error("a grid needs at least one column and a scale of at least 1");
  for (const GridCell& cell : cells) {
    if (!cell.image.defined() || cell.image.dim() != 3 || cell.image.size(0) != 3) {
      throw Error(fmt::format("grid: the picture '{}' is not a tensor [3,H,W]", cell.label));
    }
  }
}

/// Draws one picture with hard pixel edges and a hairline around it.
void draw_picture(Canvas& canvas, const Tensor& image, double x, double y, int scale) {
  const Tensor bytes = to_bytes(image).contiguous();
  const auto rows = static_cast<int>(bytes.size(1)), columns = static_cast<int>(bytes.size(2));
  const std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns, rows), cairo_surface_destroy);
  const int stride = cairo_image_surface_get_stride(surface.get());
  const auto pixels = bytes.accessor<std::uint8_t, 3>();
  for (int row = 0; row < rows; ++row) {
    unsigned char* line = cairo_image_surface_get_data(surface.get()) + static_cast<std::ptrdiff_t>(row) * stride;
    for (int column = 0; column < columns; ++column) {
      const std::uint32_t value = static_cast<std::uint32_t>(pixels[0][row][column]) << 16 |
                                  static_cast<std::uint32_t>(pixels[1][row][column]) << 8 | pixels[2][row][column];
      std::memcpy(line + static_cast<std::ptrdiff_t>(column) * 4, &value, sizeof value);
    }
  }
  cairo_surface_mark_dirty(surface.get());
  cairo_t* pen = canvas.pen();
  cairo_save(pen);
  cairo_translate(pen, x, y);
  cairo_scale(pen, scale, scale);
  cairo_set_source_surface(pen, surface.get(), 0, 0);
  cairo_pattern_set_filter(cairo_get_source(pen), CAIRO_FILTER_NEAREST);
  cairo_paint(pen);
  cairo_restore(pen);
  canvas.colour(rule);
  cairo_set_line_width(pen, 1);
  cairo_rectangle(pen, x - 0.5, y - 0.5, columns * scale + 1, rows * scale + 1);
  cairo_stroke(pen);
}

/// Breaks a label after the last word that fits the first line.
std::pair<std::string, std::string> two_lines(const Canvas& canvas, const std::string& label, double width) {
  if (canvas.text_width(label) <= width) return {label, ""};
  std::size_t split = std::string::npos;
  for (std::size_t space = label.find(' '); space != std::string::npos; space = label.find(' ', space + 1)) {
    if (canvas.text_width(label.substr(0, space)) > width) break;
    split = space;
  }
  if (split == std::string::npos) return {canvas.fitted(label, width), ""};
  return {label.substr(0, split), canvas.fitted(label.substr(split + 1), width)};
}

}  // namespace

std::string draw_grid(const std::vector<GridCell>& cells, int columns, int scale) {
  check_cells(cells, columns, scale);
  int tallest = 0, widest = 0;
  for (const GridCell& cell : cells) {
    tallest = std::max(tallest, static_cast<int>(cell.image.size(1)) * scale);
    widest = std::max(widest, static_cast<int>(cell.image.size(2)) * scale);
  }
  const int cell_width = std::max(widest, narrowest), cell_height = tallest + label_height;
  const int given = static_cast<int>(cells.size());
  const int rows = std::min((given + columns - 1) / columns, (highest - gap) / (cell_height + gap));
  const int count = std::min(given, rows * columns), shown_columns = std::clamp(count, 1, columns);
  if (count < given) say(fmt::format("a sheet of pictures shows only the first {} of {}", count, given));
  Canvas canvas(gap + shown_columns * (cell_width + gap), gap + rows * (cell_height + gap));
  canvas.font(12);
  for (int i = 0; i < count; ++i) {
    const GridCell& cell = cells[static_cast<std::size_t>(i)];
    const int x = gap + i % columns * (cell_width + gap), y = gap + i / columns * (cell_height + gap);
    const int indent = (cell_width - static_cast<int>(cell.image.size(2)) * scale) / 2;
    draw_picture(canvas, cell.image, x + indent, y, scale);
    canvas.colour(cell.good ? ink : alarm);
    const auto [first, second] = two_lines(canvas, cell.label, cell_width);
    const double centre = x + cell_width / 2.0;
    canvas.text(centre, y + tallest + line_height + 1, first, Align::centre);
    canvas.text(centre, y + tallest + 2 * line_height + 1, second, Align::centre);
  }
  return canvas.png();
}

void draw_grid(const std::filesystem::path& path, const std::vector<GridCell>& cells, int columns, int scale) {
  write_atomically(path, draw_grid(cells, columns, scale));
}

}  // namespace blip3u
