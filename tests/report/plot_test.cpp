#include "report/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../temporary_folder.h"
#include "../xml.h"
#include "blip3u/error.h"
#include "io/files.h"
#include "report/markup.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;

Element chart(const std::vector<Series>& series, bool log_y) {
  return XmlReader::read(plot_series("Loss", series, log_y));
}

struct Point {
  double x, y;
};

/// The places of a line, one list for each of its unbroken parts.
std::vector<std::vector<Point>> places(const Element& line) {
  std::vector<std::vector<Point>> parts;
  std::istringstream path(line.attributes.at("d"));
  char command = 0;
  Point point{};
  while (path >> command >> point.x >> point.y) {
    if (command == 'M') {
      parts.emplace_back();
    } else {
      parts.back().push_back(point);
    }
  }
  return parts;
}

/// The lines of the series; those of the legend have no name under the pointer.
std::vector<const Element*> lines(const Element& svg) {
  std::vector<const Element*> found;
  for (const Element* path : svg.all("path", "line")) {
    if (!path->children.empty()) found.push_back(path);
  }
  return found;
}

double number(std::string label) {
  const std::string thin = "\u2009";
  for (std::size_t at = label.find(thin); at != std::string::npos; at = label.find(thin)) label.erase(at, thin.size());
  return std::stod(label);
}

/// An axis as a reader of the chart finds it: the line through its first and last label.
class Scale {
 public:
  Scale(const Element& svg, const std::string& axis, bool logarithmic) : logarithmic_(logarithmic) {
    const auto labels = svg.all("text", axis);
    if (labels.size() < 2) throw std::runtime_error("an axis needs two labels");
    const auto tick = [&](const Element* label) {
      return std::stod(label->attributes.at(axis)) - (axis == "y" ? 5 : 0);  // a base line lies below its tick
    };
    from_ = tick(labels.front());
    value_ = scaled(number(labels.front()->text));
    slope_ = (tick(labels.back()) - from_) / (scaled(number(labels.back()->text)) - value_);
  }
  double place(double value) const { return from_ + slope_ * (scaled(value) - value_); }

 private:
  double scaled(double value) const { return logarithmic_ ? std::log10(value) : value; }
  bool logarithmic_;
  double from_, slope_, value_;
};

Series curve(const std::string& name, double factor) {
  Series series{name, {}, {}};
  for (int step = 0; step <= 6000; step += 50) {
    series.x.push_back(step);
    series.y.push_back(factor * std::exp(-step / 1500.0) + 0.02 * (1 + std::sin(step / 90.0)) + 0.01);
  }
  return series;
}

TEST(Plot, PointsLieWhereTheLabelsOfTheAxesSay) {
  const std::vector<Series> series{curve("contrast", 3), curve("reconstruction", 0.4)};
  for (const bool logarithmic : {false, true}) {
    const Element svg = chart(series, logarithmic);
    const Scale across(svg, "x", false), up(svg, "y", logarithmic);
    const auto drawn = lines(svg);
    ASSERT_EQ(drawn.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(drawn[i]->text, series[i].name);
      const auto parts = places(*drawn[i]);
      ASSERT_EQ(parts.size(), 1u);
      ASSERT_EQ(parts[0].size(), series[i].x.size());
      for (std::size_t at = 0; at < parts[0].size(); ++at) {
        EXPECT_NEAR(parts[0][at].x, across.place(series[i].x[at]), 0.03);
        EXPECT_NEAR(parts[0][at].y, up.place(series[i].y[at]), 0.03);
      }
    }
  }
}

TEST(Plot, DataFillTheFrame) {
  // 640 x 380 with margins of 76, 18, 72 (title and one row of legend) and 54: 6 pixels of air beside the data, 4 % of
  // their range above and below.
  const Element svg = chart({{"three", {10, 20, 40}, {1, 3, 2}}}, false);
  const auto points = places(*lines(svg).at(0)).at(0);
  const double air = (326 - 72) * 0.04 / 1.08;
  EXPECT_NEAR(points[0].x, 82, 0.01);
  EXPECT_NEAR(points[1].x, 82 + (616 - 82) / 3.0, 0.01);
  EXPECT_NEAR(points[2].x, 616, 0.01);
  EXPECT_NEAR(points[0].y, 326 - air, 0.01);
  EXPECT_NEAR(points[1].y, 72 + air, 0.01);
  EXPECT_NEAR(points[2].y, (326 + 72) / 2.0, 0.01);
}

TEST(Plot, LegendNamesEachLineInItsColour) {
  std::vector<Series> series;
  for (int i = 0; i < 10; ++i) series.push_back(curve("loss " + std::to_string(i), 1 + i));
  series[3].name = "größenmaßstäblichkeitsverlust";
  const Element svg = chart(series, true);
  const auto names = svg.all("text", "name");
  const auto all = svg.all("path", "line");  // those of the data, then those of the legend
  ASSERT_EQ(names.size(), 10u);
  ASSERT_EQ(all.size(), 20u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(all[i]->attributes.at("style"), all[10 + i]->attributes.at("style"));
    EXPECT_EQ(all[i]->text, series[i].name);
  }
  EXPECT_EQ(names[0]->text, "loss 0");
  EXPECT_EQ(names[3]->text, "größenmaßstäblichke…");
  EXPECT_NE(all[0]->attributes.at("style"), all[1]->attributes.at("style"));
  // Ten names take four rows; the lines begin below them.
  double lowest = 0, highest = 1000;
  for (const Element* name : names) lowest = std::max(lowest, std::stod(name->attributes.at("y")));
  for (const Element* line : lines(svg)) {
    const auto points = places(*line).at(0);
    for (const Point& point : points) highest = std::min(highest, point.y);
  }
  EXPECT_GT(highest, lowest);
}

TEST(Plot, ValuesThatCannotBeShownInterruptTheLine) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const Series odd{"odd", {1, 2, 3, 4, 5, 6, 7}, {2, 4, nan, 3, infinity, -1, 5}};
  for (const bool logarithmic : {false, true}) {
    const Element svg = chart({odd}, logarithmic);
    const auto parts = places(*lines(svg).at(0));
    ASSERT_EQ(parts.size(), 3u);
    EXPECT_EQ(parts[0].size(), 2u);
    EXPECT_EQ(parts[1].size(), 1u);
    EXPECT_EQ(parts[2].size(), logarithmic ? 1u : 2u);  // -1 has no logarithm
    for (const std::vector<Series>& none :
         {std::vector<Series>{}, {{"none", {}, {}}}, {{"odd", {1, 2}, {nan, infinity}}}}) {
      const Element empty = chart(none, logarithmic);
      EXPECT_THAT(empty.text, HasSubstr("no data"));
      EXPECT_TRUE(lines(empty).empty());
    }
  }
  EXPECT_THROW(plot_series("", {{"unequal", {1, 2}, {1}}}, true), Error);
}

TEST(Plot, OddRanges) {
  for (const Series& series : {Series{"one", {3}, {5}}, Series{"flat", {1, 2}, {7, 7}},
                               Series{"huge", {1, 2}, {1e-300, 1e300}}, Series{"tiny", {1e6, 1e6 + 1}, {1e-9, 2e-9}}}) {
    for (const bool logarithmic : {false, true}) {
      const Element svg = chart({series}, logarithmic);
      ASSERT_EQ(lines(svg).size(), 1u);
      const auto points = places(*lines(svg)[0]).at(0);
      EXPECT_EQ(points.size(), series.x.size());  // a lone point too: a line to itself, whose round ends are a dot
      for (const Point& point : points) {
        EXPECT_TRUE(point.x >= 76 && point.x <= 622 && point.y >= 72 && point.y <= 326) << series.name;
      }
      EXPECT_GE(svg.all("text", "y").size(), 1u);
    }
  }
}

TEST(Plot, NamesAreEscaped) {
  const std::string odd = "<script>alert('&\"\x01", shown = "<script>alert('&\"\uFFFD";
  const Element svg = XmlReader::read(plot_series(odd, {{odd, {1, 2}, {1, 2}}}, false, odd));
  EXPECT_TRUE(svg.all("script").empty());
  EXPECT_EQ(svg.attributes.at("aria-label"), shown);
  EXPECT_EQ(svg.all("text", "title").at(0)->text, shown);
  EXPECT_EQ(lines(svg).at(0)->text, shown);
}

TEST(Plot, WritesAFile) {
  const TemporaryFolder folder("blip3u-plot");
  plot_series(folder.path() / "deep" / "loss.svg", "Loss", {curve("contrast", 3)}, true);
  EXPECT_EQ(read_text(folder.path() / "deep" / "loss.svg"), plot_series("Loss", {curve("contrast", 3)}, true));
}

TEST(Markup, EscapesWhatXmlReserves) {
  EXPECT_EQ(escape_markup("a < b & c > \"d\" 'e'\n\x1f ü"),
            "a &lt; b &amp; c &gt; &quot;d&quot; &#39;e&#39;\n\uFFFD ü");
}

}  // namespace
}  // namespace blip3u::testing
