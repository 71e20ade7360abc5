// The plugin interface: what a plugin library exports. docs/writing-a-plugin.md is the walk through it.
//
// A library exports one C symbol, `blip3u_plugin`, which returns a constant descriptor. Nothing registers itself, and
// loading a library runs none of its code but the loader's. C++ types cross the boundary, so a library must be built
// with the same LibTorch, compiler ABI and toolkit headers as the program: BLIP3U_PLUGIN places a build stamp in the
// file, which the host reads before it opens the library.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "blip3u/build_stamp.h"  // generated: BLIP3U_BUILD_STAMP
#include "blip3u/component.h"
#include "blip3u/error.h"
#include "blip3u/parameters.h"
#include "blip3u/visual.h"

namespace blip3u {

/// Grows whenever a public header changes in a way that a built plugin would notice.
inline constexpr std::uint32_t interface_version = 2;

enum class Kind { encoder, backbone, denoiser, sampler, decoder, tokenizer, dataset, task };

/// What a component is told about the pipeline around it, before any component is built.
struct Wiring {
  std::int64_t image_size = 0;      ///< pixels a side; set by the data set's check
  Layout features;                  ///< set by the encoder's check; tokens == 0: there is no encoder
  std::int64_t backbone_width = 0;  ///< set by the backbone's check; 0: there is no backbone

  /// What does not fit: the parameter to blame (may be empty) and one sentence that says how to mend it.
  struct Problem {
    std::string parameter;
    std::string message;
  };
  std::vector<Problem> problems;

  void reject(std::string parameter, std::string message) {
    problems.push_back({std::move(parameter), std::move(message)});
  }
};

/// What a factory is given besides its parameters.
struct BuildContext {
  Wiring wiring;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::int64_t vocabulary = 0;  ///< of the tokenizer; 0 while none is fitted
  std::uint64_t seed = 0;       ///< for initial weights
};

struct ComponentDescriptor {
  Kind kind;
  const char* name;                            ///< lower case, digits and underscores
  const char* summary;                         ///< one sentence
  std::span<const char* const> provides = {};  ///< capabilities that others may need
  std::span<const char* const> needs = {};     ///< capabilities that the rest of the pipeline must provide
  std::span<const ParameterSpec> parameters = {};
  /// Names of all terms that `loss` may return (encoders, decoders, samplers). The recipe may weigh each of them.
  std::span<const char* const> losses = {};

  /// Checks parameters against each other and against the wiring, and writes what this component adds to the wiring
  /// (a data set must set `image_size`, an encoder `features`, a backbone `backbone_width`). Called in the order
  /// dataset, tokenizer, encoder, backbone, denoiser, sampler, decoder, task. Must not throw. May be null.
  void (*check)(const Parameters&, Wiring&) = nullptr;

  /// Returns an object of the contract class of `kind`. May throw Error.
  std::unique_ptr<Component> (*create)(const Parameters&, const BuildContext&) = nullptr;
};

struct PluginDescriptor {
  std::uint32_t interface_version;  ///< first, so that it can be read whatever follows
  std::uint32_t size;               ///< sizeof(PluginDescriptor)
  const char* build_stamp;
  const char* name;  ///< of the library; components are called name/component
  const char* version;
  const char* license;
  std::span<const ComponentDescriptor> components;
};

/// The factory of a component class constructed from (const Parameters&, const BuildContext&).
template <class T>
std::unique_ptr<Component> create(const Parameters& parameters, const BuildContext& context) {
  return std::make_unique<T>(parameters, context);
}

using PluginEntry = const PluginDescriptor* (*)();
inline constexpr const char* plugin_entry_symbol = "blip3u_plugin";

BLIP3U_API const char* kind_name(Kind kind);

}  // namespace blip3u

/// Exports a plugin library. Use once, in one source file, at global scope:
///   constexpr blip3u::ComponentDescriptor components[] = {...};
///   BLIP3U_PLUGIN("acme", "1.0.0", "Apache-2.0", components)
#define BLIP3U_PLUGIN(library_name, library_version, library_license, component_table)                         \
  extern "C" __attribute__((used)) const char blip3u_build_stamp[] = "blip3u-build-stamp:" BLIP3U_BUILD_STAMP; \
  extern "C" BLIP3U_API const blip3u::PluginDescriptor* blip3u_plugin() {                                      \
    static constexpr blip3u::PluginDescriptor descriptor{blip3u::interface_version,                            \
                                                         sizeof(blip3u::PluginDescriptor),                     \
                                                         BLIP3U_BUILD_STAMP,                                   \
                                                         library_name,                                         \
                                                         library_version,                                      \
                                                         library_license,                                      \
                                                         component_table};                                     \
    return &descriptor;                                                                                        \
  }
