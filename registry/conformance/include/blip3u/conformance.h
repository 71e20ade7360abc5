// The conformance kit: whether a plugin keeps the contracts. `blip3u plugins verify` runs it, and a plugin's own tests
// can too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "blip3u/plugin.h"

namespace blip3u::conformance {

enum class Outcome { passed, failed, skipped };

/// One check of one component.
struct Check {
  std::string component;  ///< "sampler acme/heun"
  std::string name;       ///< "order_of_convergence"
  Outcome outcome = Outcome::passed;
  std::string detail;  ///< failed: what is wrong and how to mend it; skipped: why; passed: what was found, or empty
  double seconds = 0;
};

struct Options {
  std::string component;              ///< check only this one, `heun` or `acme/heun`; empty: all
  std::vector<std::string> settings;  ///< `component.parameter=value`; a list of texts is separated by commas
  at::Device device = at::kCPU;
  std::uint64_t seed = 1;  ///< of all inputs
};

/// Checks the components of a loaded library, whose file is `file`. What a plugin does wrong is an entry with
/// Outcome::failed, never an exception; a crash ends the process with a message that names the check. Throws
/// Error(Fault::usage) for options that fit no component. Catches what is printed, so no other thread may print
/// meanwhile.
BLIP3U_API std::vector<Check> verify(const PluginDescriptor& plugin, const std::filesystem::path& file,
                                     const Options& options);

/// Whether nothing failed.
BLIP3U_API bool conforms(const std::vector<Check>& checks);

/// For people: a line for each failed or skipped check, those that passed summed up for each component unless
/// `verbose`, and at the end "N passed, M failed, K skipped".
BLIP3U_API std::string to_text(const std::vector<Check>& checks, bool verbose);

/// A JSON array with one object a check.
BLIP3U_API std::string to_json(const std::vector<Check>& checks);

/// JUnit XML: a test suite called `suite`, whose test cases have the component as class name.
BLIP3U_API std::string to_junit(const std::vector<Check>& checks, const std::string& suite);

}  // namespace blip3u::conformance
