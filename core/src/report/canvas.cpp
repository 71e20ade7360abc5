#include "report/canvas.h"

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/utf8.h"

namespace blip3u {

Canvas::Canvas(int width, int height)
    : surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height), cairo_surface_destroy),
      pen_(cairo_create(surface_.get()), cairo_destroy) {
  if (cairo_status(pen()) != CAIRO_STATUS_SUCCESS) {
    throw Error(fmt::format("a drawing of {} x {} pixels cannot be made: {}; draw fewer or smaller pictures", width,
                            height, cairo_status_to_string(cairo_status(pen()))));
  }
  colour({1, 1, 1});
  cairo_paint(pen());
}

void Canvas::font(double size, bool bold) {
  cairo_select_font_face(pen(), "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(pen(), size);
}

double Canvas::text_width(const std::string& text) const {
  cairo_text_extents_t extents;
  cairo_text_extents(pen(), text.c_str(), &extents);
  return extents.x_advance;
}

void Canvas::text(double x, double baseline, const std::string& text, Align align) {
  const double width = align == Align::left ? 0 : text_width(text);
  cairo_move_to(pen(), align == Align::centre ? x - width / 2 : x - width, baseline);
  cairo_show_text(pen(), text.c_str());
}

std::string Canvas::fitted(const std::string& text, double width) const {
  std::string result = text;
  while (!result.empty() && text_width(result == text ? text : result + "…") > width) {
    std::size_t end = result.size() - 1;
    while (end > 0 && !begins_character(result[end])) --end;
    result.resize(end);
  }
  return result == text ? text : result + "…";
}

void Canvas::line(double x0, double y0, double x1, double y1) {
  cairo_move_to(pen(), x0, y0);
  cairo_line_to(pen(), x1, y1);
  cairo_stroke(pen());
}

std::string Canvas::png() const {
  std::string result;
  const auto append = [](void* target, const unsigned char* data, unsigned int length) {
    static_cast<std::string*>(target)->append(reinterpret_cast<const char*>(data), length);
    return CAIRO_STATUS_SUCCESS;
  };
  cairo_surface_flush(surface_.get());
  const cairo_status_t status = cairo_surface_write_to_png_stream(surface_.get(), append, &result);
  if (status != CAIRO_STATUS_SUCCESS) {
    throw Error(fmt::format("a drawing cannot be encoded as PNG: {}", cairo_status_to_string(status)));
  }
  return result;
}

}  // namespace blip3u
