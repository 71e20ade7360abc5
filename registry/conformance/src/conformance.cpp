#include "blip3u/conformance.h"

#include <algorithm>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "kinds.h"

namespace blip3u::conformance {

namespace {

void check_settings(const PluginDescriptor& plugin, const Options& options) {
  for (const std::string& text : options.settings) {
    const Setting setting = parse_setting(text);
    const bool known = std::ranges::any_of(plugin.components, [&](const ComponentDescriptor& component) {
      return is_named(plugin, component, setting.owner) &&
             std::ranges::any_of(component.parameters,
                                 [&](const auto& spec) { return setting.parameter == spec.name; });
    });
    if (known) continue;
    throw Error(Fault::usage,
                fmt::format("--set {}: the library `{}` has no component `{}` with a parameter `{}`; `blip3u plugins "
                            "inspect` shows what there is",
                            text, plugin.name, setting.owner, setting.parameter));
  }
}

Behaviour behaviour_of(const Subject& subject) {
  switch (subject.component().kind) {
    case Kind::encoder: return encoder_behaviour(subject);
    case Kind::decoder: return decoder_behaviour(subject);
    case Kind::denoiser: return denoiser_behaviour(subject);
    case Kind::backbone: return backbone_behaviour(subject);
    case Kind::sampler: return sampler_behaviour(subject);
    case Kind::guidance: return guidance_behaviour(subject);
    case Kind::tokenizer: return tokenizer_behaviour(subject);
    default: return {};
  }
}

void check_kind(Recorder& recorder, const Subject& subject, const Behaviour& behaviour) {
  switch (subject.component().kind) {
    case Kind::encoder: check_encoder(recorder, subject); break;
    case Kind::decoder: check_decoder(recorder, subject, behaviour); break;
    case Kind::denoiser: check_denoiser(recorder, subject, behaviour); break;
    case Kind::backbone: check_backbone(recorder, subject); break;
    case Kind::sampler: check_sampler(recorder, subject); break;
    case Kind::guidance: check_guidance(recorder, subject); break;
    case Kind::objective: break;
    case Kind::tokenizer: check_tokenizer(recorder, subject); break;
    case Kind::dataset: check_dataset(recorder, subject); break;
    case Kind::task: check_task(recorder, subject); break;
  }
}

std::vector<Check> check_component(const PluginDescriptor& plugin, const ComponentDescriptor& component,
                                   const Options& options) {
  const std::string title = fmt::format("{} {}/{}", kind_name(component.kind), plugin.name, component.name);
  Recorder recorder(title);
  const Subject subject(plugin, component, options);
  check_descriptor(recorder, subject);
  const bool usable = check_creation(recorder, subject);
  Behaviour behaviour;
  if (usable) {
    behaviour = behaviour_of(subject);
    if (!behaviour.calls.empty()) {
      check_calls(recorder, subject, behaviour);
      if (component.kind != Kind::sampler && component.kind != Kind::guidance)
        check_training(recorder, subject, behaviour);
    }
    check_kind(recorder, subject, behaviour);
  } else {
    recorder.run("behaviour", [&] { skip("no instance of it can be made here; see create_destroy"); });
  }
  if (subject.obstacle().empty()) check_errors(recorder, subject, behaviour);
  recorder.run("silent", [&] {
    if (!recorder.printed().empty()) {
      fail("{}; a component prints nothing: throw blip3u::Error, or return what there is to say", recorder.printed());
    }
  });
  return recorder.take();
}

}  // namespace

std::vector<Check> verify(const PluginDescriptor& plugin, const std::filesystem::path& file, const Options& options) {
  check_settings(plugin, options);
  std::vector<Check> checks;
  for (const ComponentDescriptor& component : plugin.components) {
    if (!options.component.empty() && !is_named(plugin, component, options.component)) continue;
    const auto more = check_component(plugin, component, options);
    checks.insert(checks.end(), more.begin(), more.end());
  }
  if (checks.empty()) {
    throw Error(Fault::usage, fmt::format("{}: has no component `{}`; `blip3u plugins inspect {}` shows what there is",
                                          file.string(), options.component, plugin.name));
  }
  return checks;
}

bool conforms(const std::vector<Check>& checks) {
  return std::ranges::none_of(checks, [](const Check& check) { return check.outcome == Outcome::failed; });
}

}  // namespace blip3u::conformance
