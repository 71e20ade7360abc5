// Finds plugin libraries in folders. NAME is NAME.so, so that a component's name alone says which file to open.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/catalog.h"

namespace blip3u {

/// A library of the plugin folders, loaded or not.
struct PluginLibrary {
  std::string name;
  std::filesystem::path file;
  const PluginDescriptor* descriptor = nullptr;  ///< null: it failed, and `failure` says why
  std::string failure;
};

/// Loads libraries when they are first asked for. Not for use from several threads at once.
class Registry : public Catalog {
 public:
  /// Folders are searched in order; each must exist.
  explicit Registry(const std::vector<std::filesystem::path>& folders);

  void add_folder(const std::filesystem::path& folder) override;
  CatalogEntry find(Kind kind, std::string_view name) override;
  std::vector<std::string> names(Kind kind) override;

  /// The library called `name`, or null if no folder has one.
  const PluginLibrary* library(std::string_view name);

  /// Every library of every folder, sorted by name, loading what is not loaded yet.
  std::vector<PluginLibrary> list();

 private:
  struct Slot {
    PluginLibrary library;
    std::string hash;  // empty until an entry is asked for
  };

  Slot* slot(std::string_view name);

  std::vector<std::filesystem::path> folders_;
  std::map<std::string, Slot, std::less<>> slots_;
};

/// Where the toolkit's own plugins are: the folders of BLIP3U_PLUGIN_PATH (colon-separated), or, if it is not set,
/// `../lib/blip3u/plugins` from the folder of the running program.
std::vector<std::filesystem::path> default_plugin_folders();

/// A component's full name: `clip` for clip/clip, else `library/component`.
std::string component_name(std::string_view library, std::string_view component);

}  // namespace blip3u
