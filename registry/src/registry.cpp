#include "registry/registry.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "io/hash.h"
#include "io/installation.h"
#include "registry/load.h"

namespace blip3u {
namespace {

/// `acme/heun` -> acme, heun; `clip` -> clip, clip. Nothing for what cannot name a component, so that a name never
/// leads out of the plugin folders.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view name) {
  const auto slash = name.find('/');
  const std::string_view library = name.substr(0, slash);
  const std::string_view component = slash == std::string_view::npos ? library : name.substr(slash + 1);
  if (!well_formed_name(library) || !well_formed_name(component)) return std::nullopt;
  return std::pair{library, component};
}

/// A symbolic link that points nowhere is there too: it is a library that cannot be loaded, not an absent one.
bool present(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::symlink_status(file, ignored).type() != std::filesystem::file_type::not_found;
}

bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  return std::filesystem::equivalent(a, b, ignored);
}

/// Whether two files are one library, such as one that is built and installed.
bool same_content(const std::filesystem::path& a, const std::filesystem::path& b) {
  if (same_file(a, b)) return true;
  std::error_code ignored;
  for (const auto& file : {a, b}) {
    if (!std::filesystem::is_regular_file(file, ignored)) return false;
  }
  try {
    return std::filesystem::file_size(a) == std::filesystem::file_size(b) && sha256_file(a) == sha256_file(b);
  } catch (const std::exception&) {  // what cannot be read fails to load, with its reason
    return false;
  }
}

}  // namespace

std::vector<std::filesystem::path> default_plugin_folders() {
  std::vector<std::filesystem::path> folders;
  if (const char* const variable = std::getenv("BLIP3U_PLUGIN_PATH")) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const auto colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) folders.emplace_back(rest.substr(0, colon));
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    return folders;
  }
  folders.push_back(installation() / "lib" / "blip3u" / "plugins");
  return folders;
}

std::string component_name(std::string_view library, std::string_view component) {
  return library == component ? std::string(library) : fmt::format("{}/{}", library, component);
}

Registry::Registry(const std::vector<std::filesystem::path>& folders) {
  for (const auto& folder : folders) add_folder(folder);
}

void Registry::add_folder(const std::filesystem::path& folder) {
  const auto absolute = std::filesystem::absolute(folder).lexically_normal();
  std::error_code ignored;
  if (!std::filesystem::is_directory(absolute, ignored)) {
    throw Error(Fault::plugin, fmt::format("{}: no such plugin folder; build the plugins, or correct the folder given "
                                           "by --plugins, BLIP3U_PLUGIN_PATH or the recipe",
                                           absolute.string()));
  }
  if (std::any_of(folders_.begin(), folders_.end(), [&](const auto& known) { return same_file(known, absolute); })) {
    return;
  }
  folders_.push_back(absolute);
  slots_.clear();  // a library of a name found before may now have a rival
}

Registry::Slot* Registry::slot(std::string_view name) {
  const auto known = slots_.find(name);
  if (known != slots_.end()) return &known->second;

  std::vector<std::filesystem::path> files;
  for (const auto& folder : folders_) {
    const auto file = folder / fmt::format("{}.so", name);
    if (!present(file)) continue;
    if (!files.empty() && same_content(files.front(), file)) continue;
    files.push_back(file);
  }
  if (files.empty()) return nullptr;

  PluginLibrary library{.name = std::string(name), .file = files.front(), .descriptor = nullptr, .failure = {}};
  if (files.size() > 1) {
    library.failure =
        fmt::format("two libraries named {}: {} and {}; remove one", name, files[0].string(), files[1].string());
  } else {
    try {
      library.descriptor = &load_plugin(library.file);
    } catch (const Error& error) {
      library.failure = error.what();
    }
  }
  return &slots_.emplace(name, Slot{std::move(library), {}}).first->second;
}

const PluginLibrary* Registry::library(std::string_view name) {
  const Slot* const found = well_formed_name(name) ? slot(name) : nullptr;
  return found ? &found->library : nullptr;
}

CatalogEntry Registry::find(Kind kind, std::string_view name) {
  const auto parts = split(name);
  if (!parts) return {};
  Slot* const found = slot(parts->first);
  if (!found) return {};
  const PluginLibrary& library = found->library;
  if (!library.descriptor) throw Error(Fault::plugin, library.failure);
  for (const ComponentDescriptor& component : library.descriptor->components) {
    if (component.kind != kind || component.name != parts->second) continue;
    if (found->hash.empty()) found->hash = sha256_file(library.file);
    return {&component, library.file.string(), library.descriptor->version, found->hash};
  }
  return {};
}

std::vector<std::string> Registry::names(Kind kind) {
  std::vector<std::string> result;
  for (const PluginLibrary& library : list()) {
    if (!library.descriptor) continue;
    for (const ComponentDescriptor& component : library.descriptor->components) {
      if (component.kind == kind) result.push_back(component_name(library.name, component.name));
    }
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<PluginLibrary> Registry::list() {
  std::vector<std::string> found;
  for (const auto& folder : folders_) {
    for (const auto& item : std::filesystem::directory_iterator(folder)) {
      if (item.path().extension() == ".so") found.push_back(item.path().stem().string());
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::vector<PluginLibrary> result;
  for (const std::string& name : found) {
    if (const Slot* const each = slot(name)) result.push_back(each->library);
  }
  return result;
}

}  // namespace blip3u
