// Pieces of HTML for reports.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace blip3u::eval::html {

/// Text made safe between tags and in quoted attributes.
std::string escape(std::string_view text);

/// An <img> that carries the PNG file in itself.
std::string embedded_png(const std::filesystem::path& file, const std::string& description);

/// A value with its interval on an axis from 0 to 1, as inline SVG, with thin lines where the references are.
std::string interval_bar(double value, double low, double high, const std::vector<double>& references);

/// A whole page.
std::string page(const std::string& title, const std::string& body);

}  // namespace blip3u::eval::html
