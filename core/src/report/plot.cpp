#include "report/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/utf8.h"
#include "io/files.h"
#include "report/markup.h"

namespace blip3u {

namespace {

constexpr double width = 640, height = 380, left = 76, right = 18, bottom = 54;
constexpr double legend_top = 58, legend_row = 22;
constexpr std::size_t legend_columns = 3, legend_letters = 19, colours = 8;

// The lines can be told apart also by people who see red and green alike (Okabe and Ito). In the dark they are lighter.
constexpr std::string_view style = R"(
.plot { --paper: #fff; --ink: #21242b; --muted: #60656f; --rule: #e3e6eb; --c0: #0072b2; --c1: #d55e00; --c2: #009e73;
  --c3: #cc79a7; --c4: #56b4e9; --c5: #e69f00; --c6: #595959; --c7: #998c0d; }
@media (prefers-color-scheme: dark) { .plot { --paper: #14181f; --ink: #e6e9ef; --muted: #9aa5b8; --rule: #333b49;
  --c0: #4da3e0; --c1: #f08a4b; --c2: #3fc9a0; --c3: #e3a3c7; --c4: #8fd0f5; --c5: #f2bd4b; --c6: #b0b0b0;
  --c7: #cfc04a; } }
.plot .paper { fill: var(--paper); }
.plot text { fill: var(--muted); font: 15px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.plot .title { fill: var(--ink); font-size: 17px; font-weight: 600; }
.plot .name { fill: var(--ink); }
.plot .middle { text-anchor: middle; }
.plot .end { text-anchor: end; }
.plot path { fill: none; stroke: var(--muted); }
.plot .rule { stroke: var(--rule); }
.plot .line { stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
)";

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

/// One axis: the interval that it shows and its place on the chart.
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

/// Text at a place; `kind` is its classes.
std::string text(double x, double y, std::string_view kind, const std::string& content) {
  return fmt::format("<text class=\"{}\" x=\"{:.2f}\" y=\"{:.2f}\">{}</text>\n", kind, x, y, escape_markup(content));
}

std::string frame(const Axis& across, const Axis& up, const std::string& x_label) {
  std::string svg;
  for (const Tick& tick : up.ticks()) {
    const double y = up.place(tick.value);
    svg += fmt::format("<path class=\"rule\" d=\"M{:.2f} {:.2f}H{:.2f}\"/>\n", left, y, width - right);
    svg += text(left - 9, y + 5, "y end", tick.label);
  }
  svg += fmt::format("<path d=\"M{:.2f} {:.2f}H{:.2f}\"/>\n", left, height - bottom, width - right);
  for (const Tick& tick : across.ticks()) {
    const double x = across.place(tick.value);
    svg += fmt::format("<path d=\"M{:.2f} {:.2f}v5\"/>\n", x, height - bottom);
    svg += text(x, height - bottom + 21, "x middle", tick.label);
  }
  return svg + text((left + width - right) / 2, height - 10, "middle", x_label);
}

std::string line(const Series& series, std::size_t index, const Axis& across, const Axis& up, bool log_y) {
  std::string path;
  bool down = false;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const double y = axis_value(series.y[i], log_y);
    const bool shown = std::isfinite(y) && std::isfinite(series.x[i]);
    if (shown) {
      const std::string place = fmt::format("{:.2f} {:.2f}", across.place(series.x[i]), up.place(y));
      // A line begins by going nowhere, so that a point alone becomes a dot by its round ends.
      path += down ? "L" + place : "M" + place + "L" + place;
    }
    down = shown;
  }
  if (path.empty()) return path;
  return fmt::format("<path class=\"line\" style=\"stroke: var(--c{0})\" d=\"{1}\"><title>{2}</title></path>\n",
                     index % colours, path, escape_markup(series.name));
}

/// How wide a name is only the viewer knows: it is cut by letters, and shown whole under the pointer.
std::string shortened(const std::string& name) {
  std::size_t letters = 0;
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (begins_character(name[at]) && letters++ == legend_letters) return name.substr(0, at) + "…";
  }
  return name;
}

std::string legend(const std::vector<Series>& series) {
  std::string svg;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double x = left + (width - left - right) / legend_columns * static_cast<double>(i % legend_columns);
    const double y = legend_top + legend_row * static_cast<double>(i / legend_columns);
    svg += fmt::format("<path class=\"line\" style=\"stroke: var(--c{})\" d=\"M{:.2f} {:.2f}h16\"/>\n", i % colours, x,
                       y - 5);
    svg += text(x + 24, y, "name", shortened(series[i].name));
  }
  return svg;
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
  std::string content = text(left, 30, "title", title);
  if (up.empty()) {
    content += text((left + width - right) / 2, height / 2, "middle", "no data");
  } else {
    const auto legend_rows = static_cast<double>((series.size() + legend_columns - 1) / legend_columns);
    const double margin = (up.high - up.low) * 0.04, top = legend_top + legend_rows * legend_row - 8;
    const Axis horizontal(across.low, across.high, false, left + 6, width - right - 6, 6);
    const Axis vertical(up.low - margin, up.high + margin, log_y, height - bottom, top, 6);
    content += frame(horizontal, vertical, x_label);
    for (std::size_t i = 0; i < series.size(); ++i) content += line(series[i], i, horizontal, vertical, log_y);
    content += legend(series);
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" aria-label=\"{2}\">\n<style>{3}</style>\n<rect class=\"paper\" width=\"{0}\" "
      "height=\"{1}\"/>\n{4}</svg>\n",
      width, height, escape_markup(title), style, content);
}

void plot_series(const std::filesystem::path& path, const std::string& title, const std::vector<Series>& series,
                 bool log_y, const std::string& x_label) {
  write_atomically(path, plot_series(title, series, log_y, x_label));
}

}  // namespace blip3u
