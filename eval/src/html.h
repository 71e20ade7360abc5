// Pages from templates.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace blip3u::eval::html {

/// Fills a Mustache template: {{key}} is escaped, {{{key}}} is not.
/// False, null, an empty text and an empty list leave their {{#section}} out; a number is written as JSON writes it.
/// Throws Error naming the file if it is missing or no template.
std::string fill_in(const std::filesystem::path& file, const nlohmann::json& values);

/// The same of the program's own template of that name, whose {{{style}}} is what all its pages share.
std::string page(const std::string& name, nlohmann::json values);

}  // namespace blip3u::eval::html
