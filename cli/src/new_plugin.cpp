// `plugins new`: a small project with one component, filled in from the templates beside the program.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/installation.h"
#include "program.h"
#include "recipe/suggest.h"
#include "registry/load.h"

namespace blip3u {
namespace {

namespace fs = std::filesystem;

struct Options {
  fs::path folder;
  std::string kind, name;
};

struct Name {
  std::string library, component;
};

Kind parse_kind(const std::string& text) {
  std::vector<std::string> known;
  for (const Kind kind : kinds) {
    known.emplace_back(kind_name(kind));
    if (text == known.back()) return kind;
  }
  throw Error(Fault::usage, fmt::format("--kind {}: there is no such kind{}", text, suggest(text, known, "kinds")));
}

/// `acme/heun`, or `heun` for heun/heun. A library that is there already is refused: the new one would be installed
/// over it, or beside it, where neither could be used.
Name parse_name(const std::string& text, const Program& program) {
  const auto slash = text.find('/');
  const std::string library = text.substr(0, slash);
  const Name name{library, slash == std::string::npos ? library : text.substr(slash + 1)};
  for (const std::string& part : {name.library, name.component}) {
    if (well_formed_name(part)) continue;
    throw Error(Fault::usage, fmt::format("--name {}: `{}` is not well formed; write library/component in lower-case "
                                          "letters, digits and underscores, a letter first, e.g. acme/heun",
                                          text, part));
  }
  Registry registry = open_registry(program);
  if (const PluginLibrary* const known = registry.library(name.library)) {
    throw Error(Fault::usage,
                fmt::format("--name {}: there is a library `{}` already, {}; choose another name for yours, or add the "
                            "component to its project",
                            text, name.library, known->file.string()));
  }
  return name;
}

/// Where the project comes to lie: a folder that is new or empty.
fs::path parse_folder(const fs::path& given) {
  const auto refuse = [&](const char* reason) {
    throw Error(Fault::usage, fmt::format("{}: {}", given.string(), reason));
  };
  fs::path folder = fs::weakly_canonical(fs::absolute(given));
  if (!folder.has_filename()) folder = folder.parent_path();  // a/b/ is a/b
  if (!fs::exists(folder)) return folder;
  if (!fs::is_directory(folder)) refuse("is a file; name a new folder");
  if (!fs::is_empty(folder)) refuse("is not empty; name a new folder, or empty this one");
  if (fs::equivalent(folder, fs::current_path())) refuse("is the folder you are in; name a new one");
  return folder;
}

/// my_heun -> MyHeun
std::string camel_case(const std::string& name) {
  std::string result;
  bool capital = true;
  for (const char character : name) {
    if (character != '_') {
      const bool raise = capital && character >= 'a' && character <= 'z';
      result += raise ? static_cast<char>(character - 'a' + 'A') : character;
    }
    capital = character == '_';
  }
  return result;
}

using Placeholders = std::map<std::string, std::string>;

std::string filled_in(std::string text, const Placeholders& placeholders) {
  for (const auto& [placeholder, value] : placeholders) {
    for (auto at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at + value.size())) {
      text.replace(at, placeholder.size(), value);
    }
  }
  return text;
}

/// The recipe with the component in the place of the toolkit's own. Each place is a line; the list of tasks comes last.
std::string with_component(const std::string& recipe, Kind kind, const std::string& name) {
  if (kind == Kind::task) return fmt::format("{}  - {}\n", recipe, name);
  const std::string key = fmt::format("{}: ", kind == Kind::dataset ? "data" : kind_name(kind));
  std::string result;
  for (std::string_view rest = recipe; !rest.empty();) {
    const std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1);
    const auto indent = std::min(line.find_first_not_of(' '), line.size());
    if (line.substr(indent).starts_with(key)) {
      result += fmt::format("{}{}{}\n", line.substr(0, indent), key, name);
    } else {
      result += line;
    }
    rest.remove_prefix(line.size());
  }
  return result;
}

/// Writes all of one template; a file X.in becomes X, placeholders in its name filled in too.
void write_template(const fs::path& from, const fs::path& to, const Placeholders& placeholders) {
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = filled_in(entry.path().stem().string(), placeholders);
    write_atomically(to / name, filled_in(read_text(entry.path()), placeholders));
  }
}

/// A word of a command as a shell reads it back.
std::string in_shell(const std::string& word) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./=+:,@%";
  if (word.find_first_not_of(plain) == std::string::npos) return word;
  return fmt::format("'{}'", filled_in(word, {{"'", R"('\'')"}}));
}

int write_project(const Options& options, const Program& program) {
  const Kind kind = parse_kind(options.kind);
  const Name name = parse_name(options.name, program);
  const fs::path folder = parse_folder(options.folder);
  const std::string full_name = component_name(name.library, name.component);
  const fs::path executable = fs::read_symlink("/proc/self/exe"), prefix = installation();
  const fs::path templates = prefix / "share" / "blip3u" / "templates";
  const Placeholders placeholders = {{"@library@", name.library},
                                     {"@component@", name.component},
                                     {"@Class@", camel_case(name.component)},
                                     {"@name@", full_name},
                                     {"@kind@", kind_name(kind)}};

  PendingPath pending(folder);
  create_folder(pending.path());
  for (const char* part : {"common", kind_name(kind)}) {
    if (!fs::is_directory(templates / part)) {
      throw Error(fmt::format("{}: no such folder of templates; install BLIP3-U anew", (templates / part).string()));
    }
    write_template(templates / part, pending.path(), placeholders);
  }
  const fs::path recipe = pending.path() / "recipe.yaml";
  write_atomically(recipe, with_component(read_text(recipe), kind, full_name));
  pending.commit();

  fmt::print("cd {}\n", in_shell(options.folder.string()));
  fmt::print("cmake -B build {}\n", in_shell("-DCMAKE_PREFIX_PATH=" + prefix.string()));
  fmt::print("cmake --build build\nctest --test-dir build --output-on-failure\n");
  fmt::print("{} plugins verify build/{}.so\n", in_shell(executable.string()), name.library);
  fmt::print("{} run recipe.yaml --plugins build\n", in_shell(executable.string()));
  return 0;
}

}  // namespace

void add_plugins_new(CLI::App& plugins, Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = plugins.add_subcommand("new", "Write a small project with a component of your own");
  verb->add_option("folder", options->folder, "Where to write it, a new or an empty folder")
      ->type_name("DIR")
      ->required();
  verb->add_option("--kind", options->kind,
                   "What it is: encoder, backbone, denoiser, sampler, guidance, decoder, tokenizer, dataset or task")
      ->type_name("KIND")
      ->required();
  verb->add_option("--name", options->name, "What recipes call it: library/component, e.g. acme/heun")
      ->type_name("NAME")
      ->required();
  verb->footer("Prints the commands that build, check and run it.");
  verb->callback(
      [options, &program] { program.action = [options, &program] { return write_project(*options, program); }; });
}

}  // namespace blip3u
