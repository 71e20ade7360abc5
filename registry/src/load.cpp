#include "registry/load.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <boost/dll/shared_library.hpp>

namespace blip3u {
namespace {

/// Every library ever opened, never destroyed: code and type information of a plugin may be in use until the very end
/// of the process (exceptions, tensors with custom deleters, vtables), so there is no unload.
struct OpenLibraries {
  std::mutex mutex;
  std::map<std::filesystem::path, boost::dll::shared_library> by_file;
};
OpenLibraries& open_libraries() {
  static auto* const libraries = new OpenLibraries;
  return *libraries;
}

/// The dynamic loader's reason without the path, which our message gives already.
std::string loader_reason(const std::filesystem::path& file) {
  const char* const text = dlerror();
  std::string reason = text ? text : "the dynamic loader gives no reason";
  const std::string prefix = file.string() + ": ";
  if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  return reason;
}

const boost::dll::shared_library& open_library(const std::filesystem::path& file) {
  OpenLibraries& open = open_libraries();
  const std::lock_guard lock(open.mutex);
  const auto known = open.by_file.find(file);
  if (known != open.by_file.end()) return known->second;

  // Boost.DLL's own error text ends in an unrelated errno, so only the loader's is used.
  std::error_code error;
  boost::dll::shared_library library;
  library.load(file, error, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  if (error) {
    throw Error(Fault::plugin, fmt::format("{}: cannot be loaded ({}); link the plugin with everything it uses "
                                           "(-Wl,--no-undefined shows what is missing) and rebuild it",
                                           file.string(), loader_reason(file)));
  }
  return open.by_file.emplace(file, std::move(library)).first->second;
}

}  // namespace

const PluginDescriptor& load_plugin(const std::filesystem::path& file) {
  const std::filesystem::path absolute = std::filesystem::absolute(file).lexically_normal();
  check_library_file(absolute);
  const boost::dll::shared_library& library = open_library(std::filesystem::canonical(absolute));
  if (!library.has(plugin_entry_symbol)) {
    throw Error(Fault::plugin, fmt::format("{}: has no entry symbol {}; export one with BLIP3U_PLUGIN",
                                           absolute.string(), plugin_entry_symbol));
  }
  const PluginDescriptor* descriptor = nullptr;
  try {
    descriptor = library.get<const PluginDescriptor*()>(plugin_entry_symbol)();
  } catch (...) {
    throw Error(Fault::plugin, fmt::format("{}: its entry function threw an exception; return a constant descriptor, "
                                           "as BLIP3U_PLUGIN does",
                                           absolute.string()));
  }
  check_descriptor(absolute, descriptor);
  return *descriptor;
}

}  // namespace blip3u
