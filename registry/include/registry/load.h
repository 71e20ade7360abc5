// Opens one plugin library, after every check that can be made before it runs code.
#pragma once

#include <filesystem>
#include <string_view>

#include "blip3u/plugin.h"

namespace blip3u {

/// Loads `file` (once; it stays loaded until the process ends) and returns its checked descriptor. Throws
/// Error(Fault::plugin) as "FILE: reason; how to mend it".
const PluginDescriptor& load_plugin(const std::filesystem::path& file);

/// The part that needs no dynamic loader: a readable, whole shared library with this program's build stamp.
void check_library_file(const std::filesystem::path& file);

/// The part after loading: interface version, size, stamp, names, factories and parameter declarations.
void check_descriptor(const std::filesystem::path& file, const PluginDescriptor* descriptor);

/// Lower case letters, digits and underscores, a letter first.
bool well_formed_name(std::string_view name);

}  // namespace blip3u
