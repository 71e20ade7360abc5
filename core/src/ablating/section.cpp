#include "ablating/section.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "recipe/check.h"
#include "recipe/suggest.h"

namespace blip3u {

namespace {

constexpr const char* designs[] = {"grid", "one_at_a_time", "list"};
constexpr std::size_t most_points = 2000;

constexpr ParameterSpec keys_of_sections[] = {
    text("design", "grid",
         "grid: every combination; one_at_a_time: the baseline and what differs from it in one axis; "
         "list: those of `points`",
         designs),
    numbers("seeds", "0", 0, 9e15, "each point is trained and evaluated once with each"),
    texts("scores", "", "the scores that are judged, such as generation/seen; none: all"),
    path("run", "", "a finished run whose weights all points take: nothing is trained"),
};

constexpr const char* other_keys[] = {"axes", "baseline", "leave_out", "points"};

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= 60 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '+';
  });
}

/// The keys that a change sets: those of a map one by one.
void add_leaves(const Node& value, const std::string& path, std::set<std::string>& leaves) {
  if (!value.is(Node::Type::map) || value.entries.empty()) {
    leaves.insert(path);
    return;
  }
  for (const Entry& entry : value.entries) add_leaves(entry.value, path + "." + entry.key, leaves);
}

std::set<std::string> leaves_of(const SectionLabel& label) {
  std::set<std::string> leaves;
  for (const Change& change : label.changes) {
    std::string path;
    for (const std::string& part : change.path) path += (path.empty() ? "" : ".") + part;
    add_leaves(change.value, path, leaves);
  }
  return leaves;
}

class SectionChecker {
 public:
  SectionChecker(const Node& node, const Position& where, Diagnostics& diagnostics)
      : node_(node), where_(where), diagnostics_(diagnostics) {}

  Section check() {
    if (!node_.is(Node::Type::map)) {
      expected(node_, "ablate", "a map, with `axes`", diagnostics_);
      return std::move(section_);
    }
    check_keys();
    check_axes();
    check_shared_keys();
    check_baseline();
    check_leave_out();
    combine();
    return std::move(section_);
  }

 private:
  void check_keys() {
    const Parameters keys = check_map(node_, where_, "`ablate`", keys_of_sections, other_keys, diagnostics_).parameters;
    section_.design = keys.text("design");
    section_.scores = keys.texts("scores");
    section_.trained = keys.text("run");
    if (const Entry* const run = node_.find("run")) section_.trained_position = run->value.position;
    const Node* const seeds = node_.value("seeds");
    for (const double seed : keys.numbers("seeds")) {
      const auto whole = static_cast<std::uint64_t>(seed);
      if (static_cast<double>(whole) != seed) {
        diagnostics_.add(seeds->position, fmt::format("`seeds` must be whole numbers, but one is {}", seed));
      } else if (std::ranges::find(section_.seeds, whole) != section_.seeds.end()) {
        diagnostics_.add(seeds->position, fmt::format("`seeds` has {} twice; remove one", whole));
      } else {
        section_.seeds.push_back(whole);
      }
    }
    if (seeds && seeds->is(Node::Type::list) && seeds->items.empty()) {
      diagnostics_.add(seeds->position, "`seeds` is empty; give at least one, such as [0, 1, 2]");
    }
    for (std::size_t i = 0; i < section_.scores.size(); ++i) {
      if (std::ranges::count(section_.scores, section_.scores[i]) < 2) continue;
      diagnostics_.add(node_.value("scores")->position,
                       fmt::format("`scores` names {} twice; remove one", in_ticks(section_.scores[i])));
      break;
    }
  }

  void check_axes() {
    const Entry* const axes = node_.find("axes");
    if (!axes) {
      return diagnostics_.add(where_,
                              "missing key `axes` in `ablate`: what varies, such as {solver: {euler: {}, "
                              "heun: {pipeline.sampler.solver: heun}}}");
    }
    if (!axes->value.is(Node::Type::map) || axes->value.entries.empty()) {
      return expected(axes->value, "axes", "a map of axes, each a map of labels", diagnostics_);
    }
    for (const Entry& axis : axes->value.entries) {
      check_label(axis, "axis");
      if (axis.key == "reason") diagnostics_.add(axis.position, "no axis may be called `reason`; rename it");
      section_.axes.push_back({axis.key, axis.position, {}});
      if (!axis.value.is(Node::Type::map)) {
        expected(axis.value, axis.key, "a map of labels, each a map of overrides", diagnostics_);
        continue;
      }
      for (const Entry& label : axis.value.entries) section_.axes.back().labels.push_back(read_label(label));
      if (axis.value.entries.size() > 1) continue;
      diagnostics_.add(axis.position,
                       fmt::format("axis {} has {}, so that nothing varies; give it two labels or "
                                   "more ({{}} is a label that changes nothing)",
                                   in_ticks(axis.key), axis.value.entries.empty() ? "no label" : "one label"));
    }
  }

  void check_label(const Entry& entry, const char* what) {
    if (is_label(entry.key)) return;
    diagnostics_.add(entry.position, fmt::format("{} {} must be called by 1 to 60 letters, digits, -, _, + and .", what,
                                                 in_ticks(entry.key)));
  }

  SectionLabel read_label(const Entry& entry) {
    check_label(entry, "label");
    SectionLabel label{entry.key, entry.position, {}};
    if (!entry.value.is(Node::Type::map)) {
      expected(entry.value, entry.key, "a map of overrides, such as {pipeline.sampler.steps: 20}; {} changes nothing",
               diagnostics_);
    }
    for (const Entry& override : entry.value.entries) {
      auto change = read_change(override.position, override.key, diagnostics_);
      if (!change) continue;
      if (change->path.front() == "seed" || change->path.front() == "name" || change->path.front() == "output" ||
          change->path.front() == "ablate" || change->path.front() == "plugin_folders") {
        diagnostics_.add(override.position,
                         fmt::format("`{}` is one for the whole sweep and cannot be a label's{}", change->path.front(),
                                     change->path.front() == "seed" ? "; name seeds in `seeds`" : ""));
        continue;
      }
      change->value = override.value;
      label.changes.push_back(std::move(*change));
    }
    return label;
  }

  /// Of two axes that set one key the order would decide.
  void check_shared_keys() {
    std::map<std::string, std::size_t> owners;
    for (std::size_t axis = 0; axis < section_.axes.size(); ++axis) {
      for (const SectionLabel& label : section_.axes[axis].labels) {
        for (const std::string& leaf : leaves_of(label)) {
          const std::size_t owner = owners.emplace(leaf, axis).first->second;
          if (owner == axis) continue;
          diagnostics_.add(label.position,
                           fmt::format("axes {} and {} both set `{}`; one key belongs to one axis",
                                       in_ticks(section_.axes[owner].name), in_ticks(section_.axes[axis].name), leaf));
        }
      }
    }
  }

  /// Reads a map of axes to labels. Returns none if anything is wrong with it.
  std::optional<Selection> read_selection(const Node& node, const char* what, bool several) {
    if (!node.is(Node::Type::map)) {
      expected(node, what, "a map of axes to labels", diagnostics_);
      return std::nullopt;
    }
    Selection selection{node.position, std::vector<std::vector<std::size_t>>(section_.axes.size()), {}};
    bool sound = true;
    for (const Entry& entry : node.entries) {
      if (several && entry.key == "reason") {
        selection.reason = entry.value.text;
        continue;
      }
      const auto axis = std::ranges::find(section_.axes, entry.key, &SectionAxis::name);
      if (axis == section_.axes.end()) {
        diagnostics_.add(entry.position, fmt::format("there is no axis {}{}", in_ticks(entry.key),
                                                     suggest(entry.key, names(section_.axes), "axes")));
        sound = false;
        continue;
      }
      auto& chosen = selection.labels[static_cast<std::size_t>(axis - section_.axes.begin())];
      const bool list = several && entry.value.is(Node::Type::list);
      const std::vector<Node> one = {entry.value};
      for (const Node& name : list ? entry.value.items : one) {
        const auto label = std::ranges::find(axis->labels, name.text, &SectionLabel::name);
        if (name.is(Node::Type::scalar) && label != axis->labels.end()) {
          chosen.push_back(static_cast<std::size_t>(label - axis->labels.begin()));
          continue;
        }
        diagnostics_.add(name.position,
                         fmt::format("axis {} has no label {}{}", in_ticks(axis->name), in_ticks(name.text),
                                     suggest(name.text, names(axis->labels), "labels")));
        sound = false;
      }
    }
    return sound ? std::optional(selection) : std::nullopt;
  }

  template <class T>
  static std::vector<std::string> names(const std::vector<T>& named) {
    std::vector<std::string> result;
    for (const T& each : named) result.push_back(each.name);
    return result;
  }

  /// The one combination of a selection; an axis that it does not name has the baseline's label.
  Combination one_of(const Selection& selection) const {
    Combination result = section_.baseline;
    for (std::size_t axis = 0; axis < result.size(); ++axis) {
      if (!selection.labels[axis].empty()) result[axis] = selection.labels[axis].front();
    }
    return result;
  }

  void check_baseline() {
    section_.baseline.assign(section_.axes.size(), 0);
    const Entry* const baseline = node_.find("baseline");
    section_.baseline_position = baseline ? baseline->value.position : where_;
    if (!baseline) return;
    if (const auto selection = read_selection(baseline->value, "baseline", false)) {
      section_.baseline = one_of(*selection);
    }
  }

  void check_leave_out() {
    const Node* const list = node_.value("leave_out");
    if (!list) return;
    if (!list->is(Node::Type::list)) {
      return expected(*list, "leave_out", "a list of maps, each of axes to labels and a `reason`", diagnostics_);
    }
    for (const Node& item : list->items) {
      auto selection = read_selection(item, "leave_out", true);
      if (!selection) continue;
      if (selection->reason.empty()) {
        diagnostics_.add(item.position,
                         "missing key `reason` in this entry of `leave_out`: why nobody needs the points");
      }
      section_.leave_out.push_back(std::move(*selection));
    }
  }

  void combine() {
    const Node* const points = node_.value("points");
    if (section_.design != "list") {
      if (points) {
        diagnostics_.add(points->position,
                         fmt::format("`points` is of `design: list`, but this is {}; remove one", section_.design));
      }
    } else if (!points || !points->is(Node::Type::list) || points->items.empty()) {
      return diagnostics_.add(where_, "`design: list` needs `points`, a list of maps of axes to labels");
    }
    if (std::ranges::any_of(section_.axes, [](const SectionAxis& axis) { return axis.labels.empty(); })) return;
    if (section_.design == "list") {
      list_points(*points);
    } else if (section_.design == "one_at_a_time") {
      vary_one();
    } else {
      grid();
    }
    const auto& all = section_.combinations;
    if (all.size() * std::max<std::size_t>(1, section_.seeds.size()) > most_points) too_many(all.size());
    for (const Selection& selection : section_.leave_out) {
      if (std::ranges::any_of(all, [&](const Combination& each) { return selection.holds(each); })) continue;
      diagnostics_.add(selection.position, "this leaves nothing out: no point has these labels; remove it");
    }
    const bool left_out = std::ranges::any_of(
        section_.leave_out, [&](const Selection& selection) { return selection.holds(section_.baseline); });
    if (left_out || (!all.empty() && std::ranges::find(all, section_.baseline) == all.end())) {
      diagnostics_.add(
          section_.baseline_position,
          fmt::format("the baseline {} is not a point: it is {}; name another in `baseline`",
                      in_ticks(section_.name_of(section_.baseline)), left_out ? "left out" : "not in `points`"));
    }
  }

  void too_many(double count) {
    diagnostics_.add(node_.value("axes")->position,
                     fmt::format("these axes make {} points with {} seeds each, more than the {} runs that a sweep may "
                                 "have; use `design: one_at_a_time`, or fewer labels",
                                 count, section_.seeds.size(), most_points));
    section_.combinations.clear();
  }

  void grid() {
    double count = 1;
    for (const SectionAxis& axis : section_.axes) count *= static_cast<double>(axis.labels.size());
    if (count > most_points) return too_many(count);
    Combination next(section_.axes.size(), 0);
    for (std::size_t point = 0; point < static_cast<std::size_t>(count); ++point) {
      section_.combinations.push_back(next);
      for (std::size_t axis = next.size(); axis-- > 0;) {
        if (++next[axis] < section_.axes[axis].labels.size()) break;
        next[axis] = 0;
      }
    }
  }

  void vary_one() {
    section_.combinations = {section_.baseline};
    for (std::size_t axis = 0; axis < section_.axes.size(); ++axis) {
      for (std::size_t label = 0; label < section_.axes[axis].labels.size(); ++label) {
        if (label == section_.baseline[axis]) continue;
        section_.combinations.push_back(section_.baseline);
        section_.combinations.back()[axis] = label;
      }
    }
  }

  void list_points(const Node& points) {
    for (const Node& item : points.items) {
      const auto selection = read_selection(item, "points", false);
      if (!selection) continue;
      Combination combination = one_of(*selection);
      if (std::ranges::find(section_.combinations, combination) != section_.combinations.end()) {
        diagnostics_.add(item.position, fmt::format("the point {} is there twice; remove one",
                                                    in_ticks(section_.name_of(combination))));
        continue;
      }
      section_.combinations.push_back(std::move(combination));
    }
  }

  const Node& node_;
  const Position& where_;
  Diagnostics& diagnostics_;
  Section section_;
};

}  // namespace

std::span<const ParameterSpec> sweep_schema() { return keys_of_sections; }

bool Selection::holds(const Combination& combination) const {
  for (std::size_t axis = 0; axis < labels.size(); ++axis) {
    if (!labels[axis].empty() && std::ranges::find(labels[axis], combination[axis]) == labels[axis].end()) return false;
  }
  return true;
}

std::string Section::name_of(const Combination& combination) const {
  std::string name;
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    if (axis > 0) name += ',';
    name += axes[axis].name;
    if (combination[axis] < axes[axis].labels.size()) name += '=' + axes[axis].labels[combination[axis]].name;
  }
  return name;
}

Section check_section(const Node& node, const Position& where, Diagnostics& diagnostics) {
  return SectionChecker(node, where, diagnostics).check();
}

}  // namespace blip3u
