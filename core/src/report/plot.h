// Line charts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "blip3u/export.h"

namespace blip3u {

struct Series {
  std::string name;
  std::vector<double> x, y;  ///< of equal length, x ascending
};

/// A chart with axes, ticks and a legend, as SVG, in colours for a bright and a dark page. Points that are not finite,
/// or not positive where the axis is logarithmic, interrupt their line. Without any point it says "no data".
BLIP3U_API std::string plot_series(const std::string& title, const std::vector<Series>& series, bool log_y,
                                   const std::string& x_label = "step");
BLIP3U_API void plot_series(const std::filesystem::path& path, const std::string& title,
                            const std::vector<Series>& series, bool log_y, const std::string& x_label = "step");

}  // namespace blip3u
