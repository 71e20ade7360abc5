// One component under test: its parameters, a pipeline that it accepts, and how instances of it are made.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/backbone.h"
#include "blip3u/conformance.h"
#include "blip3u/plugin.h"
#include "recorder.h"

namespace blip3u::conformance {

using Overrides = std::map<std::string, ParameterValue>;

/// What differs from one instance to the next.
struct Build {
  std::uint64_t seed = 7;
  at::ScalarType type = at::kFloat;
  Overrides overrides = {};
};

/// `owner.parameter=value`, where the owner is `heun` or `acme/heun`.
struct Setting {
  std::string text, owner, parameter, value;
};
/// Throws Error(Fault::usage) for what is not written so.
Setting parse_setting(const std::string& text);

/// Whether recipes may call the component so.
bool is_named(const PluginDescriptor& library, const ComponentDescriptor& component, std::string_view name);

/// Pipelines around a component of this kind, in the order in which they are tried.
std::vector<Wiring> candidate_wirings(Kind kind);

class Subject;

/// Whether the descriptor lists the capability.
bool provides(const Subject& subject, std::string_view capability);

/// Whether the parameter lets a data set download its files. Checking a plugin is no reason to: it is false here unless
/// --set says otherwise.
bool downloads(const ParameterSpec& spec);

/// The ends of a parameter's declared range, as far as a component is small there.
std::vector<ParameterValue> edges(const ParameterSpec& spec);

/// Changes every weight a little, so that what starts at zero takes part.
void disturb(const Component& component, std::uint64_t seed);

class Subject {
 public:
  Subject(const PluginDescriptor& library, const ComponentDescriptor& component, const Options& options);

  const ComponentDescriptor& component() const { return component_; }
  const Options& options() const { return options_; }

  /// With settings. A required one without a setting has its type's empty value.
  const Parameters& parameters() const { return parameters_; }
  const BuildContext& context() const { return context_; }
  const Wiring& wiring() const { return context_.wiring; }
  const ParameterSpec* find_parameter(std::string_view name) const;

  /// Why no instance can be made; empty if one can: a required parameter, or no pipeline that `check` accepts.
  const std::string& obstacle() const { return obstacle_; }

  /// The wiring after `check`, with its problems. Throws Failure if `check` throws.
  Wiring checked(const Parameters& parameters, Wiring wiring) const;

  /// Whether `check` accepts these changes where it accepted the rest.
  bool accepts(const Overrides& overrides) const;

  /// Throws Failure if the factory makes nothing, or something else.
  template <class Contract>
  std::unique_ptr<Contract> make(const Build& build = {}) const {
    std::unique_ptr<Component> made = create(build);
    auto* const contract = dynamic_cast<Contract*>(made.get());
    if (!contract) {
      fail("the factory returns an object of another kind; return one derived from blip3u's contract class of kind {}",
           kind_name(component_.kind));
    }
    static_cast<void>(made.release());
    return std::unique_ptr<Contract>(contract);
  }

  /// One of its kind whose weights are disturbed.
  std::unique_ptr<Component> make_disturbed(std::uint64_t seed = 7, at::ScalarType type = at::kFloat) const;

  /// Any instance, checked to be of its kind.
  std::unique_ptr<Component> make_any(const Build& build = {}) const;

 private:
  void apply(const Setting& setting);
  void find_wiring();
  Parameters with(const Overrides& overrides) const;
  std::unique_ptr<Component> create(const Build& build) const;

  const ComponentDescriptor& component_;
  const Options& options_;
  Parameters parameters_;
  BuildContext context_;
  Wiring outside_;                      // before `check`
  std::unique_ptr<Backbone> backbone_;  // that a denoiser may look at
  std::string obstacle_;
};

}  // namespace blip3u::conformance
