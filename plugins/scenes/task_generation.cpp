// Pictures of described scenes, read exactly and judged by GenEval's rules.
#include <algorithm>
#include <random>
#include <set>

#include <fmt/format.h>

#include "blip3u/random.h"
#include "eval/statistics.h"
#include "scenes/asking.h"
#include "scenes/rules.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

/// GenEval's types; their unweighted mean is its score.
const std::set<std::string> geneval_types = {"single_object", "two_object", "counting",
                                             "colors",        "position",   "color_attribution"};

class Generation final : public Task {
 public:
  Generation(const Parameters& parameters, const BuildContext&)
      : most_images_(parameters.integer("images")), shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::generate; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "draw"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t seed) const override {
    std::vector<Item> items;
    for_each_test_sample(data, "draw", [&](Sample&& sample, const std::string& id) {
      Item item = item_before(sample, last_reply(sample));
      item.id = id;
      item.expected = label_of(sample, "wanted");
      item.group = item.messages.back().content.back().text;
      item.labels = {{"type", label_of(sample, "type")}, {"part", part_of(sample)}};
      items.push_back(std::move(item));
      return true;
    });
    items = allotted(std::move(items), most_images_, shown_);
    add_floor(items, seed);
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    const Description wanted = parse_description(item.expected), other = parse_description(item.labels.at("other"));
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      ItemRecord record{.id = item.id,
                        .input = item.group,
                        .output = "no picture",
                        .expected = item.expected,
                        .group = item.group,
                        .labels = item.labels};
      Reading reading;
      if (!output.images.empty()) {
        reading = read_scene(readable(output.images.front()));
        record.output = reading.text();
      }
      const Verdict verdict = judge(reading, wanted);
      record.score = verdict.strict ? 1.0 : 0.0;
      record.values = {{"compatible", verdict.compatible ? 1.0 : 0.0},
                       {"floor", judge(reading, other).strict ? 1.0 : 0.0},
                       {"unclear", reading.clear() ? 0.0 : 1.0},
                       {"atoms", static_cast<double>(verdict.atoms.size())}};
      for (const Atom& atom : verdict.atoms) {
        const std::string name = atom_kinds[static_cast<std::size_t>(atom.kind)];
        record.values[name + "/right"] += atom.right ? 1 : 0;
        record.values[name + "/all"] += 1;
      }
      if (item.shown && !output.images.empty()) {
        record.images = {{output.images.front(), item.group, verdict.strict}};
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    std::map<std::string, std::vector<const ItemRecord*>> parts;
    for (const ItemRecord& record : records) parts[record.labels.at("part")].push_back(&record);
    std::vector<Score> scores;
    for (const auto& [part, members] : parts) {
      const bool seen = part == "seen";
      add_scores("generation/" + part, members, seen, scores);
      if (!seen) add_counterpart(part, members, parts["seen"], scores);
    }
    return scores;
  }

 private:
  /// Gives each item the description of another of its part, for the floor.
  static void add_floor(std::vector<Item>& items, std::uint64_t seed) {
    std::map<std::string, std::vector<std::size_t>> parts;
    for (std::size_t i = 0; i < items.size(); ++i) parts[items[i].labels.at("part")].push_back(i);
    std::mt19937_64 engine(derive_seed(seed, "shuffled prompts"));
    for (const auto& [part, places] : parts) {
      std::vector<std::size_t> shuffled = places;
      for (std::size_t left = shuffled.size(); left > 1; --left)
        std::swap(shuffled[left - 1], shuffled[engine() % left]);
      for (std::size_t i = 0; i < places.size(); ++i) items[places[i]].labels["other"] = items[shuffled[i]].expected;
    }
  }

  using Types = std::map<std::string, Clustered>;

  /// Of those types that are GenEval's.
  static std::vector<const Clustered*> geneval_of(const Types& types) {
    std::vector<const Clustered*> members;
    for (const auto& [type, pictures] : types) {
      if (geneval_types.contains(type)) members.push_back(&pictures);
    }
    return members;
  }

  /// Of one part: the means over GenEval's types, each type, and as references what they are made of.
  static void add_scores(const std::string& name, const std::vector<const ItemRecord*>& members, bool seen,
                         std::vector<Score>& scores) {
    Types strict, compatible;
    eval::Clusters prompts;
    Shares atoms, numbers;
    Share floor, unclear;
    for (const ItemRecord* record : members) {
      const std::string& type = record->labels.at("type");
      const std::int64_t prompt = prompts.of(record->group);
      strict[type].add(record->score, prompt);
      compatible[type].add(record->values.at("compatible"), prompt);
      floor.add(record->values.at("floor") == 1);
      unclear.add(record->values.at("unclear") == 1);
      numbers[fmt::format("{:.0f}", record->values.at("atoms"))].add(record->score == 1);
      for (const char* kind : atom_kinds) {
        const auto all = record->values.find(fmt::format("{}/all", kind));
        if (all == record->values.end()) continue;
        atoms[kind].right += static_cast<std::int64_t>(record->values.at(fmt::format("{}/right", kind)));
        atoms[kind].count += static_cast<std::int64_t>(all->second);
      }
    }
    if (const auto members = geneval_of(strict); !members.empty()) {
      scores.push_back(mean_over_types(name, strict_protocol, members));
      scores.push_back(mean_over_types(name + "/geneval_rules", compatible_protocol, geneval_of(compatible)));
    }
    for (const auto& [type, pictures] : strict) {
      scores.push_back(eval::clustered_share_score(fmt::format("{}/{}", name, type), strict_protocol, pictures.values,
                                                   pictures.clusters));
      scores.back().reference = !seen;
    }
    const auto add = [&](const std::string& what, const Share& share) {
      scores.push_back(eval::as_reference(score_of(fmt::format("{}/{}", name, what), strict_protocol, share)));
    };
    add("shuffled_prompts", floor);
    add("unreadable", unclear);
    scores.back().higher_is_better = false;
    for (const auto& [kind, share] : atoms) add("facts_of_" + kind, share);
    if (!seen) return;
    for (const auto& [number, share] : numbers) add(fmt::format("of_{}_facts", number), share);
  }

  /// What training saw, of the types that a part has: what the part is to be compared with.
  static void add_counterpart(const std::string& part, const std::vector<const ItemRecord*>& members,
                              const std::vector<const ItemRecord*>& seen, std::vector<Score>& scores) {
    std::set<std::string> types;
    for (const ItemRecord* record : members) types.insert(record->labels.at("type"));
    Types alike;
    eval::Clusters prompts;
    for (const ItemRecord* record : seen) {
      const std::string& type = record->labels.at("type");
      if (types.contains(type)) alike[type].add(record->score, prompts.of(record->group));
    }
    const auto geneval = geneval_of(alike);
    if (geneval.empty()) return;
    scores.push_back(eval::as_reference(
        mean_over_types(fmt::format("generation/{}/seen_of_these_types", part), strict_protocol, geneval)));
  }

  std::int64_t most_images_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_generation(const Parameters& parameters, const BuildContext& context) {
  return create<Generation>(parameters, context);
}

}  // namespace blip3u::scenes
