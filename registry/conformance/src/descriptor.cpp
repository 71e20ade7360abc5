// What every component must do before anything is asked of it: describe itself, check its parameters, come and go.
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "kinds.h"
#include "recipe/check.h"
#include "registry/load.h"

namespace blip3u::conformance {

namespace {

void filled(const char* text, const std::string& what) {
  if (!text || std::string_view(text).find_first_not_of(" \t\n") == std::string_view::npos) {
    fail("{} is empty; fill it in in the descriptor", what);
  }
}

void descriptor(const PluginDescriptor& library, const ComponentDescriptor& component) {
  filled(library.version, "the library's version");
  filled(library.license, "the library's license");
  filled(component.summary, "the summary");
  if (!well_formed_name(library.name) || !well_formed_name(component.name)) {
    fail("its name is not well formed; use lower-case letters, digits and underscores, a letter first");
  }
  for (const ParameterSpec& spec : component.parameters) {
    filled(spec.documentation, fmt::format("the documentation of the parameter `{}`", spec.name));
  }
}

bool equal(const Wiring& a, const Wiring& b) {
  if (a.image_size != b.image_size || a.features != b.features || a.backbone_width != b.backbone_width ||
      a.problems.size() != b.problems.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.problems.size(); ++i) {
    if (a.problems[i].parameter != b.problems[i].parameter || a.problems[i].message != b.problems[i].message) {
      return false;
    }
  }
  return true;
}

void check_problem(const Subject& subject, const Wiring::Problem& problem) {
  if (problem.message.find_first_not_of(' ') == std::string::npos) {
    fail("`check` rejects without a message; say what does not fit and how to mend it");
  }
  if (!problem.parameter.empty() && !subject.find_parameter(problem.parameter)) {
    fail("`check` blames the parameter `{}`, which the descriptor does not declare", problem.parameter);
  }
}

void defaults(const Subject& subject) {
  const ComponentDescriptor& component = subject.component();
  for (const ParameterSpec& spec : component.parameters) {
    const std::string problem = spec.required ? "" : check_value(spec, default_value(spec));
    if (!problem.empty()) fail("the default of `{}` is not valid: it {}", spec.name, problem);
  }
  const auto candidates = candidate_wirings(component.kind);
  std::vector<Wiring> first;
  for (int time = 0; time < 2; ++time) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Wiring result;
      try {
        result = subject.checked(subject.parameters(), candidates[i]);
      } catch (...) {
        fail("`check` throws; it must report by Wiring::reject");
      }
      for (const Wiring::Problem& problem : result.problems) check_problem(subject, problem);
      if (const char* const member = unset_member(component.kind, result); result.problems.empty() && member) {
        fail("`check` accepts but does not say what it makes: it must set Wiring::{}", member);
      }
      if (time == 0) {
        first.push_back(std::move(result));
      } else if (!equal(first[i], result)) {
        fail("`check` says something else when it is asked the same again; let it depend on its arguments alone");
      }
    }
  }
}

/// Values that do not fit the declaration.
std::vector<ParameterValue> bad_values(const ParameterSpec& spec) {
  std::vector<ParameterValue> bad;
  const auto beyond = [&](auto make) {
    // A limit so large that one more is the same number cannot be passed.
    if (std::isfinite(spec.minimum) && spec.minimum - 1 < spec.minimum) bad.push_back(make(spec.minimum - 1));
    if (std::isfinite(spec.maximum) && spec.maximum + 1 > spec.maximum) bad.push_back(make(spec.maximum + 1));
  };
  switch (spec.type) {
    case ParameterType::boolean: bad = {std::int64_t{1}, std::string("true")}; break;
    case ParameterType::integer:
      bad = {0.5, true, std::string("1")};
      beyond([](double value) { return ParameterValue(static_cast<std::int64_t>(value)); });
      break;
    case ParameterType::number:
      bad = {std::int64_t{1}, std::string("1"), std::numeric_limits<double>::quiet_NaN(),
             std::numeric_limits<double>::infinity()};
      beyond([](double value) { return ParameterValue(value); });
      break;
    case ParameterType::text:
      bad = {true, std::vector<std::string>{"a"}};
      if (!spec.choices.empty()) bad.emplace_back(std::string("no such choice"));
      break;
    case ParameterType::texts:
      bad = {true, std::string("a")};
      if (!spec.choices.empty()) bad.emplace_back(std::vector<std::string>{"no such choice"});
      break;
  }
  return bad;
}

/// The ends of the declared range, as far as a component is small there.
std::vector<ParameterValue> edges(const ParameterSpec& spec) {
  constexpr double largest = 32;
  std::vector<ParameterValue> values;
  switch (spec.type) {
    case ParameterType::boolean: return {true, false};
    case ParameterType::text:
      for (const char* choice : spec.choices) values.emplace_back(std::string(choice));
      return values;
    case ParameterType::texts: return {};
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

void bad_parameters(const Subject& subject) {
  for (const ParameterSpec& spec : subject.component().parameters) {
    for (const ParameterValue& value : bad_values(spec)) {
      if (check_value(spec, value).empty()) {
        fail("the declaration of `{}` lets a value of another type or beyond its range pass; correct it", spec.name);
      }
    }
  }
  if (!subject.obstacle().empty()) return;
  for (const ParameterSpec& spec : subject.component().parameters) {
    if (downloads(spec)) continue;
    for (const ParameterValue& value : edges(spec)) {
      const Overrides overrides = {{spec.name, value}};
      if (!subject.accepts(overrides)) continue;
      Raised raised;
      try {
        raised = raised_by([&] { subject.make_any({.overrides = overrides}); });
      } catch (const Error&) {  // an orderly refusal
      }
      const std::string& problem = raised.foreign.empty() ? raised.torch : raised.foreign;
      if (problem.empty()) continue;
      fail(
          "`check` accepts `{}` at an end of its range, for which the factory then fails ({}); narrow the range, or "
          "reject the value in `check`",
          spec.name, problem);
    }
  }
}

}  // namespace

void check_descriptor(Recorder& recorder, const PluginDescriptor& library, const Subject& subject) {
  recorder.run("descriptor", [&] { descriptor(library, subject.component()); });
  recorder.run("defaults", [&] { defaults(subject); });
  recorder.run("bad_parameters", [&] { bad_parameters(subject); });
}

bool check_creation(Recorder& recorder, const Subject& subject) {
  bool made = false;
  recorder.run("create_destroy", [&] {
    if (!subject.obstacle().empty()) skip("{}", subject.obstacle());
    try {
      auto first = subject.make_any();
      made = true;
      auto second = subject.make_any({.seed = 8}), third = subject.make_any();
      second.reset();
      auto fourth = subject.make_any({.seed = 9});
      first.reset();
      fourth.reset();
      third.reset();
      subject.make_any();
    } catch (const Error& error) {
      if (subject.component().kind == Kind::dataset && error.fault() == Fault::runtime && !made) {
        skip("it cannot be opened here: {}", error.what());
      }
      throw;
    }
  });
  return made;
}

}  // namespace blip3u::conformance
