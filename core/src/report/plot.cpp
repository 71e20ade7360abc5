#include "report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "blip3u/error.h"
#include "io/files.h"
#include "report/canvas.h"

namespace blip3u {

namespace {

constexpr int width = 960, height = 540;
constexpr double left = 78, right = 28, top = 84, bottom = 58;

// Distinguishable also by people who see red and green alike (Okabe and Ito).
constexpr std::array<Colour, 8> palette{{{0.00, 0.45, 0.70},
                                         {0.84, 0.37, 0.00},
                                         {0.00, 0.62, 0.45},
                                         {0.80, 0.47, 0.65},
                                         {0.34, 0.71, 0.91},
                                         {0.90, 0.62, 0.00},
                                         {0.35, 0.35, 0.35},
                                         {0.60, 0.55, 0.05}}};

struct Tick {
  double value;  ///< in axis units: the logarithm on a logarithmic axis
  std::string label;
};

std::string number_text(double value) {
  const double size = std::abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) return fmt::format("{:.3g}", value);
  std::string digits = fmt::format("{:.6g}", value);
  const std::size_t start = value < 0 ? 1 : 0;
  const std::size_t point = std::min(digits.find('.'), digits.size());
  if (point - start > 4) {
    for (std::size_t place = point - 3; place > start; place = place > 3 ? place - 3 : 0)
      digits.insert(place, "\u2009");
  }
  return digits;
}

/// One axis: the interval that it shows and its place on the canvas.
class Axis {
 public:
  Axis(double low, double high, bool logarithmic, double from, double to, int wanted)
      : low_(low), high_(high), logarithmic_(logarithmic), from_(from), to_(to) {
    if (!(low_ < high_)) {
      const double margin = low_ == 0 || logarithmic ? 0.5 : std::abs(low_) / 2;
      low_ -= margin;
      high_ += margin;
    }
    if (!logarithmic_) {
      linear_ticks(wanted);
    } else {
      logarithmic_ticks();
    }
  }

  double place(double value) const { return from_ + (value - low_) / (high_ - low_) * (to_ - from_); }
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void linear_ticks(int wanted) {
    const double rough = (high_ - low_) / wanted;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double step = power;
    for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
      step = factor * power;
      if (step >= rough) break;
    }
    for (double index = std::ceil(low_ / step); index * step <= high_ * (1 + 1e-12); ++index) {
      const double value = index * step + 0.0;  // no negative zero
      ticks_.push_back({value, number_text(value)});
    }
  }
  /// Whole decades, and their parts 2 and 5 while there are few decades; for less than that, linear places.
  void logarithmic_ticks() {
    const std::vector<double> parts = high_ - low_ > 3 ? std::vector<double>{1} : std::vector<double>{1, 2, 5};
    const double every = std::max(1.0, std::ceil((high_ - low_) / 8));
    for (double decade = std::floor(low_); decade <= std::ceil(high_); decade += every) {
      for (const double part : parts) {
        const double value = decade + std::log10(part);
        if (value >= low_ && value <= high_) ticks_.push_back({value, number_text(std::pow(10, decade) * part)});
      }
    }
    if (ticks_.size() >= 2) return;
    Axis linear(std::pow(10, low_), std::pow(10, high_), false, 0, 1, 5);
    ticks_.clear();
    for (const Tick& tick : linear.ticks()) {
      if (tick.value > 0) ticks_.push_back({std::log10(tick.value), tick.label});
    }
  }

  double low_, high_;
  bool logarithmic_;
  double from_, to_;
  std::vector<Tick> ticks_;
};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

double axis_value(double y, bool log_y) {
  if (!log_y) return y;
  return y > 0 ? std::log10(y) : std::numeric_limits<double>::quiet_NaN();
}

void draw_frame(Canvas& canvas, const Axis& across, const Axis& up, const std::string& x_label) {
  cairo_set_line_width(canvas.pen(), 1);
  canvas.font(13);
  for (const Tick& tick : up.ticks()) {
    const double y = std::round(up.place(tick.value)) + 0.5;
    canvas.colour(rule);
    canvas.line(left, y, width - right, y);
    canvas.colour(muted);
    canvas.text(left - 10, y + 4.5, tick.label, Align::right);
  }
  canvas.colour(muted);
  canvas.line(left, height - bottom + 0.5, width - right, height - bottom + 0.5);
  for (const Tick& tick : across.ticks()) {
    const double x = std::round(across.place(tick.value)) + 0.5;
    canvas.line(x, height - bottom, x, height - bottom + 5);
    canvas.text(x, height - bottom + 21, tick.label, Align::centre);
  }
  canvas.text((left + width - right) / 2, height - 13, x_label, Align::centre);
}

void draw_line(Canvas& canvas, const Series& series, const Axis& across, const Axis& up, bool log_y) {
  cairo_set_line_width(canvas.pen(), 2);
  cairo_set_line_join(canvas.pen(), CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(canvas.pen(), CAIRO_LINE_CAP_ROUND);
  bool down = false;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const double y = axis_value(series.y[i], log_y);
    if (!std::isfinite(y) || !std::isfinite(series.x[i])) {
      down = false;
      continue;
    }
    const double px = across.place(series.x[i]), py = up.place(y);
    if (!down) cairo_move_to(canvas.pen(), px, py);
    cairo_line_to(canvas.pen(), px, py);  // a point alone becomes a dot by its round ends
    down = true;
  }
  cairo_stroke(canvas.pen());
}

void draw_legend(Canvas& canvas, const std::vector<Series>& series) {
  canvas.font(13);
  double x = left;
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (x > width - right - 60) break;
    canvas.colour(palette[i % palette.size()]);
    cairo_set_line_width(canvas.pen(), 3);
    canvas.line(x, 59, x + 20, 59);
    canvas.colour(ink);
    const std::string name = canvas.fitted(series[i].name, width - right - x - 28);
    canvas.text(x + 27, 63.5, name);
    x += 27 + canvas.text_width(name) + 24;
  }
}

}  // namespace

std::string plot_series(const std::string& title, const std::vector<Series>& series, bool log_y,
                        const std::string& x_label) {
  Range across, up;
  for (const Series& one : series) {
    if (one.x.size() != one.y.size()) {
      throw Error(fmt::format("plot '{}': series '{}' has {} places and {} values", title, one.name, one.x.size(),
                              one.y.size()));
    }
    for (std::size_t i = 0; i < one.x.size(); ++i) {
      const double y = axis_value(one.y[i], log_y);
      if (!std::isfinite(y) || !std::isfinite(one.x[i])) continue;
      across.include(one.x[i]);
      up.include(y);
    }
  }
  Canvas canvas(width, height);
  canvas.font(17, true);
  canvas.colour(ink);
  canvas.text(left, 34, canvas.fitted(title, width - left - right));
  if (up.empty()) {
    canvas.font(15);
    canvas.colour(muted);
    canvas.text((left + width - right) / 2, height / 2.0, "no data", Align::centre);
    return canvas.png();
  }
  const double margin = (up.high - up.low) * 0.04;
  const Axis horizontal(across.low, across.high, false, left + 6, width - right - 6, 8);
  const Axis vertical(up.low - margin, up.high + margin, log_y, height - bottom, top, 8);
  draw_frame(canvas, horizontal, vertical, x_label);
  for (std::size_t i = 0; i < series.size(); ++i) {
    canvas.colour(palette[i % palette.size()]);
    draw_line(canvas, series[i], horizontal, vertical, log_y);
  }
  draw_legend(canvas, series);
  return canvas.png();
}

void plot_series(const std::filesystem::path& path, const std::string& title, const std::vector<Series>& series,
                 bool log_y, const std::string& x_label) {
  write_atomically(path, plot_series(title, series, log_y, x_label));
}

}  // namespace blip3u
