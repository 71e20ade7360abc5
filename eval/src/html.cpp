#include "html.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include "blip3u/error.h"
#include "io/files.h"
#include "report/markup.h"

namespace blip3u::eval::html {

namespace {

namespace mustache = kainjow::mustache;
using nlohmann::json;

mustache::data to_data(const json& value) {
  if (value.is_object()) {
    mustache::data object;
    for (const auto& [key, member] : value.items()) object.set(key, to_data(member));
    return object;
  }
  if (value.is_array()) {
    mustache::data list(mustache::data::type::list);
    for (const auto& item : value) list.push_back(to_data(item));
    return list;
  }
  if (value.is_boolean()) return mustache::data(value.get<bool>());
  if (value.is_null() || value == "") return mustache::data(false);
  return mustache::data(value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

std::string fill_in(const std::filesystem::path& file, const json& values) {
  mustache::mustache page(read_text(file));
  page.set_custom_escape([](const std::string& text) { return escape_markup(text); });
  const std::string text = page.render(to_data(values));
  if (!page.is_valid()) {
    throw Error(fmt::format("{}: not a template: {}; install BLIP3-U anew", file.string(), page.error_message()));
  }
  return text;
}

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

}  // namespace blip3u::eval::html
