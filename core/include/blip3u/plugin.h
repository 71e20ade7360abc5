// The plugin interface: what a plugin library exports. docs/writing-a-plugin.md is the walk through it.
//
// A library exports one C symbol, `blip3u_plugin`, which returns a constant descriptor. Nothing registers itself, and
// loading a library runs none of its code but the loader's. C++ types cross the boundary, so a library must be built
// with the same LibTorch, compiler ABI and toolkit headers as the program: BLIP3U_PLUGIN places a build stamp in the
// file, which the host reads before it opens the library.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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
inline constexpr std::uint32_t interface_version = 4;

/// `objective` is reserved: no component has it yet.
enum class Kind { encoder, backbone, denoiser, sampler, decoder, tokenizer, dataset, task, guidance, objective };

/// What a component is told about the pipeline around its place, before any component is built: what was known when
/// its own `check` ran; of a link, when those of all its parts had run, and of a backbone, when those of all links had.
struct Wiring {
  std::int64_t image_size = 0;      ///< pixels a side at which pictures are read and made: the recipe's data.image_size
  Layout features;                  ///< of this place: what the encoder makes, or the link's target; tokens == 0: none
  std::vector<Layout> reads;        ///< what the encoders make that the backbone reads with, in the recipe's order
  Layout previous;                  ///< what the generation link before this one makes; tokens == 0: it is the first
  std::int64_t backbone_width = 0;  ///< set by the backbone's check; 0: there is none, or the place is before it
  std::int64_t experts = 0;         ///< sets of weights that blocks can name; set by the backbone's check
  std::int64_t extra_words = 0;     ///< rows that links add to the backbone's vocabulary; each adds to it in its check
  /// What the link's sampler trains its denoiser to predict, as prediction/path ("velocity/linear", "noise/cosine");
  /// set by that sampler's check, so that a solver of another library can say whether it solves this. Empty: nothing.
  std::string objective;
  /// Anything else that components of one family tell each other, by `library/fact`.
  std::map<std::string, std::int64_t, std::less<>> facts;

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

class Backbone;
class Encoder;
class Host;
class Tokenizer;

/// Components that are built before this one and that it may use. Not owned; they live as long as it does. Null or
/// empty where the pipeline has none, or builds none for what it is asked to do.
struct Peers {
  Tokenizer* tokenizer = nullptr;
  Backbone* backbone = nullptr;
  std::vector<Encoder*> reads;  ///< that the backbone reads with, as Wiring::reads
  Encoder* makes = nullptr;     ///< whose features this link makes, or this decoder decodes
};

/// What a factory is given besides its parameters.
struct BuildContext {
  Wiring wiring;
  Host* host = nullptr;  ///< services of the core; null only where a test builds the component alone
  Peers peers = {};
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::int64_t vocabulary = 0;  ///< of the tokenizer; 0 while none is fitted
  std::uint64_t seed = 0;       ///< for initial weights
  bool recompute = false;       ///< training keeps no inner activations, but computes them again going back
};

struct ComponentDescriptor {
  Kind kind;
  const char* name;                            ///< lower case, digits and underscores
  const char* summary;                         ///< one sentence
  std::span<const char* const> provides = {};  ///< capabilities that others may need
  std::span<const char* const> needs = {};     ///< capabilities that what it works with must provide
  std::span<const ParameterSpec> parameters = {};
  /// Names of all terms that `loss` (of encoders, decoders, samplers) or `take_losses` may return. The recipe may weigh
  /// each of them.
  std::span<const char* const> losses = {};

  /// Checks parameters against each other and against the wiring, and writes what this component adds to the wiring
  /// (an encoder must set `features`, a backbone `backbone_width`). Called in the order dataset, tokenizer, encoders,
  /// backbone, each link's denoiser, sampler, solver and guidance, decoder, task. Must not throw. May be null.
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
