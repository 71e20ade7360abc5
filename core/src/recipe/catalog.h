// How core asks for components without knowing where they come from. The registry implements it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/plugin.h"

namespace blip3u {

struct CatalogEntry {
  const ComponentDescriptor* component = nullptr;
  std::string library_path;  ///< absolute
  std::string library_version;
  std::string library_hash;  ///< SHA-256 of the file, hex
};

class BLIP3U_API Catalog {
 public:
  virtual ~Catalog();

  /// Finds `library/component`, or `name` for `name/name`. Opens at most one library. Throws Error(Fault::plugin) that
  /// says why a library of that name could not be loaded; returns an empty entry if there is no such library, or the
  /// library has no such component of that kind.
  virtual CatalogEntry find(Kind kind, std::string_view name) = 0;

  /// Names of all components of a kind that can be loaded, sorted, own plugins without the prefix. For suggestions.
  virtual std::vector<std::string> names(Kind kind) = 0;

  /// Searches this folder too, after those before it. Throws Error(Fault::plugin) if it does not exist. A catalog that
  /// has no folders ignores it.
  virtual void add_folder(const std::filesystem::path& /*folder*/) {}
};

}  // namespace blip3u
