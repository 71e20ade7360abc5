#include "html.h"

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/installation.h"
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

std::string page(const std::string& name, json values) {
  const std::filesystem::path folder = installation() / "share" / "blip3u" / "report";
  values["style"] = read_text(folder / "style.css");
  return fill_in(folder / (name + ".html"), values);
}

}  // namespace blip3u::eval::html
