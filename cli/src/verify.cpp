// `blip3u plugins verify`: the conformance kit.
#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "blip3u/conformance.h"
#include "blip3u/error.h"
#include "io/files.h"
#include "pipeline/device.h"
#include "program.h"
#include "registry/load.h"

namespace blip3u {
namespace {

struct VerifyOptions {
  std::string library, device = "cpu";
  conformance::Options kit;
  std::filesystem::path json, junit;
  bool verbose = false;
};

/// The file that `given` is, or that of the library with this name in the plugin folders.
std::filesystem::path library_file(const Program& program, const std::string& given) {
  if (given.find('/') == std::string::npos && !given.ends_with(".so")) {
    Registry registry = open_registry(program);
    const PluginLibrary* const library = registry.library(given);
    if (library && !library->descriptor) throw Error(Fault::plugin, library->failure);
    if (library) return library->file;
    throw Error(Fault::usage,
                fmt::format("there is no plugin library `{0}`; give its file, such as ./{0}.so, or its folder with "
                            "--plugins",
                            given));
  }
  return std::filesystem::absolute(given).lexically_normal();
}

int verify(const Program& program, const VerifyOptions& options) {
  const std::filesystem::path file = library_file(program, options.library);
  const PluginDescriptor& plugin = load_plugin(file);
  conformance::Options kit = options.kit;
  kit.device = open_device(options.device);
  const auto checks = conformance::verify(plugin, file, kit);
  fmt::print("{}", conformance::to_text(checks, options.verbose));
  if (!options.json.empty()) write_atomically(options.json, conformance::to_json(checks));
  if (!options.junit.empty()) write_atomically(options.junit, conformance::to_junit(checks, plugin.name));
  return conformance::conforms(checks) ? 0 : static_cast<int>(Fault::plugin);
}

}  // namespace

void add_plugins_verify(CLI::App& plugins, Program& program) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* const verb = plugins.add_subcommand("verify", "Check that a plugin library keeps the contracts");
  verb->add_option("library", options->library, "The library: its file, or its name in the plugin folders")
      ->type_name("LIB")
      ->required();
  verb->add_option("--component", options->kit.component, "Only this component, e.g. heun or acme/heun")
      ->type_name("NAME");
  verb->add_option("--set", options->kit.settings, "A parameter to check with, e.g. heun.steps=4; may be repeated")
      ->type_name("component.parameter=value")
      ->allow_extra_args(false);
  verb->add_option("--device", options->device, "Device to check on: cpu, cuda, cuda:N or auto")
      ->capture_default_str()
      ->type_name("DEVICE");
  verb->add_option("--json", options->json, "Write the results there as a JSON array")->type_name("FILE");
  verb->add_option("--junit", options->junit, "Write the results there as JUnit XML")->type_name("FILE");
  verb->add_flag("--verbose", options->verbose, "A line for each passed check too, with what it found");
  verb->callback([options, &program] { program.action = [options, &program] { return verify(program, *options); }; });
}

}  // namespace blip3u
