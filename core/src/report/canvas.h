// A cairo picture to draw on, and how text and numbers are set in all drawings.
#pragma once

#include <cairo.h>

#include <memory>
#include <string>

namespace blip3u {

struct Colour {
  double red, green, blue;
};
inline constexpr Colour ink{0.13, 0.14, 0.17}, muted{0.42, 0.44, 0.48}, rule{0.89, 0.90, 0.92}, alarm{0.76, 0.18, 0.16};

enum class Align { left, centre, right };

class Canvas {
 public:
  Canvas(int width, int height);  ///< white

  cairo_t* pen() const { return pen_.get(); }
  void colour(const Colour& colour) { cairo_set_source_rgb(pen(), colour.red, colour.green, colour.blue); }
  void font(double size, bool bold = false);
  double text_width(const std::string& text) const;
  void text(double x, double baseline, const std::string& text, Align align = Align::left);
  std::string fitted(const std::string& text, double width) const;  ///< ends in … if it had to be cut
  void line(double x0, double y0, double x1, double y1);
  std::string png() const;

 private:
  std::unique_ptr<cairo_surface_t, void (*)(cairo_surface_t*)> surface_;
  std::unique_ptr<cairo_t, void (*)(cairo_t*)> pen_;
};

}  // namespace blip3u
