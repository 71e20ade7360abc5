// What every component must do before anything is asked of it: describe itself, check its parameters, come and go.
#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/ranges.h>

#include "kinds.h"
#include "recipe/check.h"

namespace blip3u::conformance {

namespace {

/// What a component of this kind must provide, else no recipe can use it; nothing for kinds outside the pipeline.
std::vector<const char*> capabilities(Kind kind) {
  switch (kind) {
    case Kind::encoder: return {"features", "codes"};
    case Kind::backbone: return {"session"};
    case Kind::denoiser: return {"predict", "stream"};
    case Kind::sampler: return {"sample"};
    case Kind::decoder: return {"images"};
    default: return {};
  }
}

/// What loading the library has not looked at.
void descriptor(const ComponentDescriptor& component) {
  const auto wanted = capabilities(component.kind);
  const bool usable = std::ranges::any_of(wanted, [&](std::string_view one) {
    return std::ranges::find(component.provides, one) != component.provides.end();
  });
  if (wanted.empty() || usable) return;
  fail("it provides neither of: {}; list in `provides` what others may need of it", fmt::join(wanted, ", "));
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
  const Kind kind = subject.component().kind;
  const auto candidates = candidate_wirings(kind);
  std::vector<Wiring> first;
  for (int time = 0; time < 2; ++time) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Wiring result = subject.checked(subject.parameters(), candidates[i]);
      for (const Wiring::Problem& problem : result.problems) check_problem(subject, problem);
      if (const char* const member = unset_member(kind, result); result.problems.empty() && member) {
        fail("`check` accepts but does not say what it makes: it must set Wiring::{}", member);
      }
      if (time == 0) {
        first.push_back(std::move(result));
      } else if (!equal(first[i], result)) {
        fail("`check` says something else when it is asked the same again; let it depend on its arguments alone");
      }
    }
  }
  Wiring alone = candidates.front();  // as in a recipe without an encoder and a backbone
  alone.features = {};
  alone.backbone_width = 0;
  for (const Wiring::Problem& problem : subject.checked(subject.parameters(), alone).problems) {
    check_problem(subject, problem);
  }
}

/// The host refuses what the declaration excludes. What the declaration lets pass, `check` must judge.
void range_ends(const Subject& subject) {
  for (const ParameterSpec& spec : subject.component().parameters) {
    if (downloads(spec)) continue;
    for (const ParameterValue& value : edges(spec)) {
      const Overrides overrides = {{spec.name, value}};
      if (!subject.accepts(overrides)) continue;
      std::string problem;
      try {
        problem = raised_by([&] { subject.make_any({.overrides = overrides}); }).any();
      } catch (const Error& error) {
        problem = error.what();
      }
      if (problem.empty()) continue;
      fail(
          "`check` accepts `{}` at an end of its range, for which the factory then fails ({}); narrow the range, or "
          "reject the value in `check`",
          spec.name, problem);
    }
  }
}

}  // namespace

void check_descriptor(Recorder& recorder, const Subject& subject) {
  recorder.run("descriptor", [&] { descriptor(subject.component()); });
  recorder.run("defaults", [&] { defaults(subject); });
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
  if (made) recorder.run("range_ends", [&] { range_ends(subject); });
  return made;
}

}  // namespace blip3u::conformance
