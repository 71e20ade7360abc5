#include "subject.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/backbone.h"
#include "blip3u/dataset.h"
#include "blip3u/decoder.h"
#include "blip3u/denoiser.h"
#include "blip3u/encoder.h"
#include "blip3u/error.h"
#include "blip3u/guidance.h"
#include "blip3u/random.h"
#include "blip3u/sampler.h"
#include "blip3u/task.h"
#include "blip3u/tokenizer.h"
#include "partners.h"

namespace blip3u::conformance {

namespace {

constexpr std::int64_t vocabulary = 20, backbone_width = 32;

[[noreturn]] void usage(const std::string& message) { throw Error(Fault::usage, message); }

template <class Number>
bool read_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

ParameterValue read_value(const ParameterSpec& spec, const Setting& setting) {
  const std::string& text = setting.value;
  ParameterValue value;
  bool fits = true;
  switch (spec.type) {
    case ParameterType::boolean:
      value = text == "true";
      fits = text == "true" || text == "false";
      break;
    case ParameterType::integer: fits = read_number(text, value.emplace<std::int64_t>()); break;
    case ParameterType::number: fits = read_number(text, value.emplace<double>()); break;
    case ParameterType::text: value = text; break;
    case ParameterType::path: value = text.empty() ? text : std::filesystem::absolute(text).string(); break;
    case ParameterType::texts:
    case ParameterType::numbers: {
      ParameterSpec list = spec;  // the core reads a list's default from text
      list.default_text = text.c_str();
      value = default_value(list);
    }
  }
  const std::string problem = fits ? check_value(spec, value) : "is not of the declared type";
  if (!problem.empty()) usage(fmt::format("--set {}: the value {}", setting.text, problem));
  return value;
}

Layout layout_of(std::int64_t tokens, std::int64_t width) {
  Layout layout;
  layout.tokens = tokens;
  layout.width = width;
  return layout;
}

}  // namespace

Setting parse_setting(const std::string& text) {
  const auto equals = text.find('='), dot = text.substr(0, equals).rfind('.');
  if (equals == std::string::npos || dot == std::string::npos) {
    usage(fmt::format("--set {}: a setting is written component.parameter=value", text));
  }
  return {text, text.substr(0, dot), text.substr(dot + 1, equals - dot - 1), text.substr(equals + 1)};
}

bool is_named(const PluginDescriptor& library, const ComponentDescriptor& component, std::string_view name) {
  return name == component.name || name == fmt::format("{}/{}", library.name, component.name);
}

std::vector<Wiring> candidate_wirings(Kind kind) {
  if (kind == Kind::tokenizer) return {Wiring()};
  if (kind == Kind::dataset) return {{.image_size = 32}, {.image_size = 64}};
  std::vector<Layout> layouts{Layout()};
  if (kind != Kind::encoder) {
    // 16 x 192, 64 x 48 and 64 x 192 are what patches of 32 x 32 and 64 x 64 pixels hold.
    layouts = {layout_of(16, 8), layout_of(16, 192), layout_of(64, 8),  layout_of(64, 48), layout_of(64, 192),
               layout_of(4, 8),  layout_of(16, 32),  layout_of(256, 8), layout_of(1, 8)};
    Layout grouped = layout_of(16, 8);
    grouped.groups.assign(16, 1);
    Layout scales = layout_of(21, 8);
    scales.groups = {1, 4, 16};
    if (kind == Kind::denoiser) layouts.insert(layouts.begin(), grouped);
    layouts.push_back(scales);
    for (const std::int64_t depth : {3, 1}) {  // a component of one level refuses more
      for (Layout codes : {grouped, scales, layout_of(16, 8)}) {
        codes.codebook = 11;
        codes.depth = depth;
        layouts.push_back(codes);
      }
    }
  }
  std::vector<Wiring> wirings;
  // A task has the kit's data set, which is of pictures of 64 pixels.
  const auto image_sizes = kind == Kind::task ? std::vector<std::int64_t>{64} : std::vector<std::int64_t>{32, 64, 224};
  for (const std::int64_t image_size : image_sizes) {
    for (const Layout& layout : layouts) {
      Wiring wiring;
      wiring.image_size = image_size;
      wiring.features = layout;
      wiring.backbone_width = kind == Kind::backbone || kind == Kind::encoder ? 0 : backbone_width;
      wiring.extra_words = kind == Kind::backbone ? 2 : 0;
      wirings.push_back(std::move(wiring));
    }
  }
  if (kind == Kind::denoiser) {  // the second of two links
    for (std::size_t i = 0, first = wirings.size(); i < first; ++i) {
      wirings.push_back(wirings[i]);
      wirings.back().previous = layout_of(16, 8);
    }
  }
  if (kind == Kind::sampler) {  // which may solve what another one trains
    for (const char* objective : {"velocity/linear", "data/linear", "noise/cosine", "v/cosine"}) {
      wirings.push_back(wirings.front());
      wirings.back().objective = objective;
    }
  }
  return wirings;
}

bool provides(const Subject& subject, std::string_view capability) {
  return std::ranges::any_of(subject.component().provides, [&](const char* each) { return capability == each; });
}

bool downloads(const ParameterSpec& spec) {
  return spec.type == ParameterType::boolean && std::string_view(spec.name) == "fetch";
}

std::vector<ParameterValue> edges(const ParameterSpec& spec) {
  constexpr double largest = 32;
  std::vector<ParameterValue> values;
  switch (spec.type) {
    case ParameterType::boolean: return {true, false};
    case ParameterType::text:
      for (const char* choice : spec.choices) values.emplace_back(std::string(choice));
      return values;
    case ParameterType::texts:
    case ParameterType::numbers:
    case ParameterType::path: return {};
    case ParameterType::integer:
    case ParameterType::number:
      for (const double end : {spec.minimum, spec.maximum}) {
        if (!(std::abs(end) <= largest)) continue;
        if (spec.type == ParameterType::integer) {
          values.emplace_back(static_cast<std::int64_t>(end));
        } else {
          values.emplace_back(end);
        }
      }
      return values;
  }
  return values;
}

void disturb(const Component& component, std::uint64_t seed) {
  const at::NoGradGuard no_gradient;
  for (const NamedTensor& weight : component.weights()) {
    if (!weight.value.is_floating_point() || weight.value.numel() == 0) continue;
    const double size = weight.value.square().mean().sqrt().item<double>();
    const Tensor noise =
        Generator({derive_seed(seed, weight.name)}).normal(weight.value.sizes(), weight.value.device());
    Tensor value = weight.value;
    value.add_((noise.select(0, 0) * (size > 0 ? 0.5 * size : 0.05)).to(value.scalar_type()));
  }
}

Subject::Subject(const PluginDescriptor& library, const ComponentDescriptor& component, const Options& options)
    : component_(component), options_(options), parameters_(Parameters::defaults(component.parameters)) {
  context_.device = options.device;
  context_.vocabulary = vocabulary;
  for (const ParameterSpec& spec : component.parameters) {
    if (spec.required) parameters_.set(spec.name, default_value(spec));
    if (downloads(spec)) parameters_.set(spec.name, false);
  }
  std::vector<std::string> given;
  for (const std::string& text : options.settings) {
    const Setting setting = parse_setting(text);
    if (!is_named(library, component, setting.owner)) continue;
    given.push_back(setting.parameter);
    if (find_parameter(setting.parameter)) apply(setting);  // else it is for another component of that name
  }
  for (const ParameterSpec& spec : component.parameters) {
    if (!spec.required || std::ranges::find(given, spec.name) != given.end()) continue;
    obstacle_ = fmt::format("its required parameter `{0}` has no value; give one with --set {1}.{0}=VALUE", spec.name,
                            component.name);
  }
  find_wiring();
  if (component.kind == Kind::denoiser && obstacle_.empty()) {
    const Wiring& wiring = context_.wiring;
    backbone_ = std::make_unique<TinyBackbone>(vocabulary + wiring.extra_words, wiring.backbone_width, options.device);
    context_.peers.backbone = backbone_.get();
  }
}

const ParameterSpec* Subject::find_parameter(std::string_view name) const {
  for (const ParameterSpec& spec : component_.parameters) {
    if (name == spec.name) return &spec;
  }
  return nullptr;
}

void Subject::apply(const Setting& setting) {
  parameters_.set(setting.parameter, read_value(*find_parameter(setting.parameter), setting));
}

void Subject::find_wiring() {
  std::string refusal;
  for (const Wiring& candidate : candidate_wirings(component_.kind)) {
    Wiring result;
    try {
      result = checked(parameters_, candidate);
    } catch (const Failure& failure) {  // `defaults` reports it
      refusal = failure.detail;
      continue;
    }
    if (result.problems.empty()) {
      outside_ = candidate;
      context_.wiring = result;
      return;
    }
    if (refusal.empty()) refusal = result.problems.front().message;
  }
  if (obstacle_.empty()) {
    obstacle_ =
        fmt::format("its `check` accepts none of the kit's pipelines ({}); give other parameters with --set", refusal);
  }
}

Wiring Subject::checked(const Parameters& parameters, Wiring wiring) const {
  try {
    if (component_.check) component_.check(parameters, wiring);
  } catch (...) {
    fail("`check` throws; it must report by Wiring::reject");
  }
  return wiring;
}

Parameters Subject::with(const Overrides& overrides) const {
  Parameters parameters = parameters_;
  for (const auto& [name, value] : overrides) parameters.set(name, value);
  return parameters;
}

bool Subject::accepts(const Overrides& overrides) const {
  for (const auto& [name, value] : overrides) {
    const ParameterSpec* spec = find_parameter(name);
    if (!spec || !check_value(*spec, value).empty()) return false;
  }
  return checked(with(overrides), outside_).problems.empty();
}

std::unique_ptr<Component> Subject::create(const Build& build) const {
  BuildContext context = context_;
  context.seed = build.seed;
  context.dtype = build.type;
  const Parameters parameters = with(build.overrides);
  if (!build.overrides.empty()) context.wiring = checked(parameters, outside_);
  std::unique_ptr<Component> made = component_.create(parameters, context);
  if (!made) fail("the factory returns nothing; return an object or throw blip3u::Error");
  return made;
}

std::unique_ptr<Component> Subject::make_any(const Build& build) const {
  switch (component_.kind) {
    case Kind::encoder: return make<Encoder>(build);
    case Kind::backbone: return make<Backbone>(build);
    case Kind::denoiser: return make<Denoiser>(build);
    case Kind::sampler: return make<Sampler>(build);
    case Kind::decoder: return make<Decoder>(build);
    case Kind::tokenizer: return make<Tokenizer>(build);
    case Kind::dataset: return make<Dataset>(build);
    case Kind::task: return make<Task>(build);
    case Kind::guidance: return make<Guidance>(build);
    case Kind::objective: return nullptr;
  }
  return nullptr;
}

std::unique_ptr<Component> Subject::make_disturbed(std::uint64_t seed, at::ScalarType type) const {
  auto made = make_any({.seed = seed, .type = type});
  disturb(*made, seed);
  return made;
}

}  // namespace blip3u::conformance
