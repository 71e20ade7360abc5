#include "html.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "io/files.h"

namespace blip3u::eval::html {

namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6778; --line: #dfe3ea; --paper: #ffffff; --panel: #f5f7fa;
  --accent: #2463c4; --band: #a9c6f2; --mark: #c07a16; --bad: #b3362b; --good: #24753f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b8; --line: #333b49; --paper: #14181f;
  --panel: #1c222c; --accent: #7fb0ff; --band: #34527f; --mark: #e2a54b; --bad: #f08a80; --good: #7cc796; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .6rem; font-size: 1.2rem; }
h3 { margin: 1.4rem 0 .4rem; font-size: 1rem; }
p { margin: .4rem 0; }
.soft, small { color: var(--soft); }
small { display: block; font-size: .78rem; line-height: 1.35; }
.badge { padding: .05rem .5rem; border-radius: 1rem; border: 1px solid currentColor; font-size: .8rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { overflow-wrap: anywhere; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-size: .8rem; font-weight: 600; color: var(--soft); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.task td { padding-top: 1.1rem; font-weight: 650; border-bottom: 2px solid var(--line); }
tr.reference td { color: var(--soft); }
tr.reference td:first-child { padding-left: 1rem; }
td.bar { width: 34%; min-width: 7rem; vertical-align: middle; }
svg { display: block; width: 100%; height: 1.2rem; }
.axis { stroke: var(--line); } .band { fill: var(--band); } .dot { fill: var(--accent); }
.mark { stroke: var(--mark); stroke-dasharray: 2 2; }
figure { margin: .8rem 0; }
figure img { max-width: 100%; height: auto; display: block; border-radius: .3rem; background: #fff; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
pre { margin: 0; padding: .8rem 1rem; overflow-x: auto; background: var(--panel); border-radius: .4rem;
  font: .8rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
td.code { font: .8rem/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
@media (max-width: 34rem) { body { font-size: 15px; } td.bar { width: 26%; min-width: 5rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } h2 { break-after: avoid; }
  tr, figure { break-inside: avoid; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
)";

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto present = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < present ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) text += i <= present ? digits[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char character : text) {
    switch (character) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += character;
    }
  }
  return safe;
}

std::string embedded_png(const std::filesystem::path& file, const std::string& description) {
  return fmt::format("<figure><img alt=\"{}\" src=\"data:image/png;base64,{}\"></figure>\n", escape(description),
                     base64(read_text(file)));
}

std::string interval_bar(double value, double low, double high, const std::vector<double>& references) {
  const auto x = [](double share) { return 3 + 194 * std::clamp(share, 0.0, 1.0); };
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 200 16\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{:.3f}, 95 % interval {:.3f} "
      "to {:.3f}, on an axis from 0 to 1\"><line class=\"axis\" x1=\"3\" x2=\"197\" y1=\"8\" y2=\"8\"/><line "
      "class=\"axis\" x1=\"3\" x2=\"3\" y1=\"4\" y2=\"12\"/><line class=\"axis\" x1=\"197\" x2=\"197\" y1=\"4\" "
      "y2=\"12\"/>",
      value, low, high);
  for (const double reference : references) {
    svg += fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"1\" y2=\"15\"/>", x(reference));
  }
  return svg + fmt::format(
                   "<rect class=\"band\" x=\"{:.1f}\" width=\"{:.1f}\" y=\"5\" height=\"6\"/><rect class=\"dot\" "
                   "x=\"{:.1f}\" width=\"2\" y=\"2\" height=\"12\"/></svg>",
                   x(low), std::max(1.0, x(high) - x(low)), x(value) - 1);
}

std::string page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}"
      "</body>\n</html>\n",
      escape(title), style, body);
}

}  // namespace blip3u::eval::html
