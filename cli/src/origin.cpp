#include "origin.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "blip3u/build_stamp.h"
#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/files.h"
#include "io/installation.h"

namespace blip3u {

namespace {

using nlohmann::json;

constexpr std::string_view prefix = "blip3u.";

json settings_of(const ComponentChoice& choice) {
  json result = {{"plugin", choice.name}};
  for (const auto& [name, value] : choice.parameters.values()) {
    json& setting = result[name];
    std::visit([&](const auto& held) { setting = held; }, value);
  }
  return result;
}

/// Whether the bytes at `place` are a control character, of ASCII or of the 32 above it; how many they are.
std::size_t control_at(std::string_view text, std::size_t place) {
  const auto byte = static_cast<unsigned char>(text[place]);
  if (byte < 0x20 || byte == 0x7F) return 1;
  return byte == 0xC2 && place + 1 < text.size() && static_cast<unsigned char>(text[place + 1]) < 0xA0 ? 2 : 0;
}

std::string escaped(std::string_view text, std::string_view also) {
  std::string result;
  for (std::size_t place = 0; place < text.size();) {
    std::size_t count = control_at(text, place);
    if (count == 0) {
      if (also.find(text[place]) != std::string_view::npos) result += '\\';
      result += text[place++];
    }
    for (; count > 0; --count, ++place) {
      result += text[place] == '\n' ? "\\n" : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[place]));
    }
  }
  return result;
}

/// A word as a shell reads it; with control characters, as bash does.
std::string quoted(const std::string& word) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("_-./=,:+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return word;
  if (printable(word) != word) return "$'" + escaped(word, "\\'") + "'";
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

/// An option with its value, which may look like an option itself.
std::string given(const std::string& option, const std::string& value) {
  return option + (value.starts_with('-') ? '=' : ' ') + quoted(value);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines{""};
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  return lines;
}

/// The option for a number among the settings of the last link, which is the one that options change.
std::string setting(const Origin& origin, const char* option, const char* part, const char* key) {
  if (!origin.settings.is_array() || origin.settings.empty() || !origin.settings.back().is_object()) return {};
  const json settings = origin.settings.back().value(part, json::object());
  const auto found = settings.is_object() ? settings.find(key) : settings.end();
  return found == settings.end() || !found->is_number() ? "" : fmt::format(" {} {}", option, found->dump());
}

/// A run as --run names it; nothing for the model that comes with the program, which lies elsewhere on each machine.
std::string name_of(const std::filesystem::path& run) {
  std::error_code absent;
  if (std::filesystem::equivalent(run, shipped_run(), absent)) return {};
  const std::filesystem::path near = run.lexically_proximate(std::filesystem::current_path());
  return (run.is_absolute() && *near.begin() != ".." ? near : run).string();
}

}  // namespace

Origin origin_of(const std::string& verb, const std::filesystem::path& run, const Recipe& recipe) {
  Origin origin{.verb = verb,
                .recipe = recipe.name,
                .run = name_of(run),
                .input = {},
                .prompt = {},
                .dialogue = {},
                .settings = json::array()};
  for (const LinkChoice& link : recipe.pipeline.generation) {
    json settings;
    for (const auto& [name, role] : {std::pair("sampler", link.solver.empty() ? link.sampler : link.solver),
                                     std::pair("guidance", link.guidance)}) {
      if (const ComponentChoice* const choice = recipe.pipeline.find(role)) settings[name] = settings_of(*choice);
    }
    origin.settings.push_back(std::move(settings));
  }
  return origin;
}

void write_picture(const std::filesystem::path& file, const Tensor& image, const Origin& origin) {
  std::vector<PngText> texts{{"Software", "BLIP3-U " BLIP3U_VERSION}};
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) texts.push_back({std::string(prefix) + name, text});
  };
  add("verb", origin.verb);
  add("recipe", origin.recipe);
  add("run", origin.run);
  add("input", origin.input);
  add("prompt", origin.prompt);
  add("reasoning", origin.reasoning ? "on" : "");
  std::string dialogue;
  for (const std::string& line : origin.dialogue) dialogue += (dialogue.empty() ? "" : "\n") + line;
  add("dialogue", dialogue);
  add("seed", std::to_string(origin.seed));
  add("settings", origin.settings.dump(-1, ' ', false, json::error_handler_t::replace));
  write_atomically(file, with_texts(encode_png(image), texts));
}

Origin parse_origin(const std::vector<PngText>& texts, const std::string& name) {
  std::map<std::string, std::string, std::less<>> found;
  for (const PngText& text : texts) {
    if (text.keyword.starts_with(prefix)) found.emplace(text.keyword.substr(prefix.size()), text.text);
  }
  if (found.empty()) {
    throw Error(
        fmt::format("{}: does not say where it comes from; blip3u did not make it, or another program wrote it "
                    "anew without its texts",
                    name));
  }
  Origin origin{.verb = found["verb"],
                .recipe = found["recipe"],
                .run = found["run"],
                .input = found["input"],
                .prompt = found["prompt"],
                .reasoning = found["reasoning"] == "on",
                .dialogue = {},
                .settings = json::parse(found["settings"], nullptr, /*allow_exceptions=*/false)};
  const std::string& seed = found["seed"];
  const auto [end, problem] = std::from_chars(seed.data(), seed.data() + seed.size(), origin.seed);
  const bool known = origin.verb == "generate" || origin.verb == "edit" || origin.verb == "chat";
  if (!known || problem != std::errc() || end != seed.data() + seed.size() || origin.settings.is_discarded()) {
    throw Error(
        fmt::format("{}: what it says of where it comes from is not as this version writes it ({}); inspect it "
                    "with the version that made it",
                    name, BLIP3U_VERSION));
  }
  if (!found["dialogue"].empty()) origin.dialogue = lines_of(found["dialogue"]);
  return origin;
}

std::string command_of(const Origin& origin) {
  const std::string options = (origin.run.empty() ? "" : ' ' + given("--run", origin.run)) +
                              setting(origin, "--steps", "sampler", "steps") +
                              setting(origin, "--guidance", "guidance", "scale");
  if (origin.verb == "chat") {
    std::string lines;
    for (const std::string& line : origin.dialogue) lines += quoted(line) + ' ';
    return fmt::format("printf '%s\\n' {}'/save again.png' | blip3u chat{}", lines, options);
  }
  const std::string input = origin.verb == "edit" ? given("--input_path", origin.input) + ' ' : "";
  return fmt::format("blip3u {} {}{}{} --seed {}{} --output_path again.png", origin.verb, input,
                     given("--prompt", origin.prompt), origin.reasoning ? " --reasoning" : "", origin.seed, options);
}

std::string printable(std::string_view text) { return escaped(text, ""); }

void check_picture_path(const std::filesystem::path& path, const std::string& what) {
  const auto refuse = [&](const std::string& reason) {
    throw Error(Fault::usage, fmt::format("{} {}: {}", what, path.string(), reason));
  };
  if (path.extension() != ".png") refuse("pictures are written as PNG; end the name in .png");
  const auto is_folder = [&](const std::filesystem::path& name) {
    std::error_code error;
    const std::filesystem::file_type type = std::filesystem::status(name, error).type();
    if (type == std::filesystem::file_type::none) refuse(error.message() + "; choose another name");
    return type == std::filesystem::file_type::directory;
  };
  if (is_folder(path)) refuse("is a folder; name a file");
  is_folder(partial_path(path));  // what is written first has a longer name
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!is_folder(folder)) refuse("its folder does not exist; make it first");
  if (access(folder.c_str(), W_OK) != 0) refuse("its folder cannot be written to; choose another");
}

}  // namespace blip3u
