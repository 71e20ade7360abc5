#include "ablating/sweep.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "ablating/section.h"
#include "io/content.h"
#include "io/hash.h"
#include "recipe/check.h"
#include "running/open_run.h"
#include "training/stage_key.h"

namespace blip3u {

namespace fs = std::filesystem;

namespace {

/// Problems of points, each said once, with how many points have it.
class PointProblems {
 public:
  void add(const std::string& point, const Diagnostics& diagnostics) {
    for (const Diagnostics::Problem& problem : diagnostics.problems()) {
      const auto same = std::ranges::find_if(found_, [&](const Found& other) {
        return other.problem.message == problem.message && other.problem.position.source == problem.position.source &&
               other.problem.position.line == problem.position.line &&
               other.problem.position.column == problem.position.column;
      });
      if (same == found_.end()) {
        found_.push_back({problem, point, 1});
      } else {
        ++same->points;
      }
    }
  }

  void tell(std::size_t points, Diagnostics& diagnostics) const {
    for (const Found& found : found_) {
      std::string remark;
      if (found.points == 1) {
        remark = fmt::format(" (in the point {}; mend it, or name it in `leave_out`)", found.first);
      } else if (found.points < points) {
        remark = fmt::format(" (in {} points, the first of them {})", found.points, found.first);
      }
      diagnostics.add(found.problem.position, found.problem.message + remark, found.problem.fault);
    }
  }

 private:
  struct Found {
    Diagnostics::Problem problem;
    std::string first;
    std::size_t points;
  };
  std::vector<Found> found_;
};

class SweepLoader {
 public:
  SweepLoader(const Node& root, std::string text, Catalog& catalog, const std::vector<fs::path>& folders,
              Diagnostics& diagnostics)
      : root_(root), text_(std::move(text)), catalog_(catalog), folders_(folders), diagnostics_(diagnostics) {}

  Sweep load() {
    const Entry* const entry = root_.find("ablate");
    if (!entry) {
      diagnostics_.add(root_.position,
                       "missing key `ablate` in the recipe: what varies; recipes/README.md explains it");
      diagnostics_.raise();
    }
    section_ = check_section(entry->value, entry->position, diagnostics_);
    if (!diagnostics_.empty()) diagnostics_.raise();
    make_points();
    if (!diagnostics_.empty()) diagnostics_.raise();
    refuse_points_alike();
    if (!section_.trained.empty()) take_weights();
    if (!diagnostics_.empty()) diagnostics_.raise();
    sweep_.name = sweep_.points.front().recipes.front().name;
    sweep_.output = sweep_.points.front().recipes.front().output;
    sweep_.design = section_.design;
    sweep_.seeds = section_.seeds;
    sweep_.scores = section_.scores;
    for (const SectionAxis& axis : section_.axes) {
      sweep_.axes.push_back({axis.name, {}});
      for (const SectionLabel& label : axis.labels) sweep_.axes.back().labels.push_back(label.name);
    }
    name_it();
    return std::move(sweep_);
  }

 private:
  void make_points() {
    std::vector<Combination> wanted = {section_.baseline};
    for (const Combination& combination : section_.combinations) {
      if (combination != section_.baseline) wanted.push_back(combination);
    }
    PointProblems problems;
    std::size_t checked = 0;
    for (const Combination& combination : wanted) {
      const std::string name = section_.name_of(combination);
      const auto reason = std::ranges::find_if(
          section_.leave_out, [&](const Selection& selection) { return selection.holds(combination); });
      if (reason != section_.leave_out.end()) {
        sweep_.left_out.push_back({name, reason->reason});
        continue;
      }
      ++checked;
      Diagnostics found;
      sweep_.points.push_back({name, combination, {}});
      add_recipes(sweep_.points.back(), found);
      problems.add(name, found);
    }
    problems.tell(checked, diagnostics_);
  }

  void add_recipes(SweepPoint& point, Diagnostics& found) {
    Node tree = root_;
    std::vector<Change> changes;
    for (std::size_t axis = 0; axis < point.labels.size(); ++axis) {
      const SectionLabel& label = section_.axes[axis].labels[point.labels[axis]];
      changes.insert(changes.end(), label.changes.begin(), label.changes.end());
    }
    apply_changes(tree, std::move(changes), found);
    Recipe recipe = check_recipe(tree, catalog_, found);
    if (!found.empty()) return;
    recipe.as_written = text_;
    for (const fs::path& folder : folders_) {
      recipe.plugin_folders.push_back(fs::absolute(folder).lexically_normal().string());
    }
    for (const std::uint64_t seed : section_.seeds) {
      recipe.seed = seed;
      resolve(recipe);
      point.recipes.push_back(recipe);
    }
  }

  /// Two points of one recipe would be two names for one figure.
  void refuse_points_alike() {
    std::map<std::string, const SweepPoint*> known;
    std::set<std::pair<std::size_t, std::size_t>> blamed;
    for (const SweepPoint& point : sweep_.points) {
      const auto [first, fresh] = known.emplace(point.recipes.front().hash, &point);
      if (fresh) continue;
      const SweepPoint& other = *first->second;
      const auto [one, two] = std::ranges::mismatch(point.labels, other.labels);
      const auto axis = static_cast<std::size_t>(one - point.labels.begin());
      if (!blamed.emplace(axis, *one).second) continue;
      const SectionAxis& blame = section_.axes[axis];
      diagnostics_.add(
          blame.labels[*one].position,
          fmt::format("the points {} and {} are one recipe: label `{}` of axis `{}` changes nothing "
                      "beside `{}` there; remove it, or name one of the points in `leave_out`",
                      other.name, point.name, blame.labels[*one].name, blame.name, blame.labels[*two].name));
    }
  }

  void take_weights() {
    const Position& where = *section_.trained_position;
    sweep_.trained = section_.trained;
    try {
      const std::string trained = training_key(recipe_of(sweep_.trained, catalog_));
      const SweepPoint& baseline = sweep_.points.front();
      if (training_key(baseline.recipes.front()) != trained) {
        return diagnostics_.add(where, fmt::format("{} was trained by another recipe than the baseline {}: begin the "
                                                   "recipe with `base: {}`, and let labels change only what training "
                                                   "does not read",
                                                   in_ticks(sweep_.trained.string()), baseline.name,
                                                   (sweep_.trained / "resolved.yaml").string()));
      }
      std::set<std::pair<std::size_t, std::size_t>> blamed;
      for (const SweepPoint& point : sweep_.points) {
        if (training_key(point.recipes.front()) == trained) continue;
        for (std::size_t axis = 0; axis < point.labels.size(); ++axis) {
          const std::size_t label = point.labels[axis];
          if (label == section_.baseline[axis] || !blamed.emplace(axis, label).second) continue;
          diagnostics_.add(section_.axes[axis].labels[label].position,
                           fmt::format("the point {} changes what training reads, but `run` takes weights that are "
                                       "trained already; remove `run`, or this label",
                                       point.name));
        }
      }
    } catch (const Error& error) {
      diagnostics_.add(where, error.what(), error.fault());
    }
  }

  void name_it() {
    std::string text;
    for (const SweepPoint& point : sweep_.points) {
      text += point.name;
      for (const Recipe& recipe : point.recipes) text += ' ' + recipe.hash;
      text += '\n';
    }
    for (const LeftOutPoint& point : sweep_.left_out) text += point.name + " left out\n";
    if (!sweep_.trained.empty()) text += "weights " + content_hash(sweep_.trained / "checkpoints");
    sweep_.hash = sha256_text(text);
  }

  const Node& root_;
  const std::string text_;
  Catalog& catalog_;
  const std::vector<fs::path>& folders_;
  Diagnostics& diagnostics_;
  Section section_;
  Sweep sweep_;
};

}  // namespace

bool has_sweep(const fs::path& file) {
  Diagnostics diagnostics;
  std::string text;
  return load_tree(file, text, diagnostics).find("ablate") != nullptr;
}

Sweep load_sweep(const fs::path& file, const std::vector<std::string>& overrides, Catalog& catalog,
                 const std::vector<fs::path>& more_plugin_folders) {
  Diagnostics diagnostics;
  std::string text;
  Node root = load_tree(file, text, diagnostics);
  apply_overrides(root, overrides, diagnostics);
  if (!diagnostics.empty()) diagnostics.raise();
  return SweepLoader(root, std::move(text), catalog, more_plugin_folders, diagnostics).load();
}

}  // namespace blip3u
