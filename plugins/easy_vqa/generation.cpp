// Pictures of all pairs of colour and shape, judged by both; seen and held-out pairs apart.
#include <algorithm>
#include <map>
#include <optional>
#include <random>

#include <fmt/format.h>

#include "blip3u/random.h"
#include "easy_vqa/judge.h"
#include "easy_vqa/tasks.h"
#include "eval/pixels.h"
#include "eval/statistics.h"

namespace blip3u::easy_vqa {

namespace {

class Generation final : public Task {
 public:
  Generation(const Parameters& parameters, const BuildContext&)
      : protocol_(shape_protocol(parameters.text("scorer"))),
        images_seen_(parameters.integer("images_seen")),
        images_held_out_(parameters.integer("images_held_out")),
        shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::generate; }

  std::string missing_for(const TaskData& data) const override {
    const auto prompts = prompts_of(data);
    if (prompts.empty())
      return "no test picture is labelled with its colour and shape; take the task out of the recipe";
    if (!items(data, 0).empty()) return {};
    return "images_seen and images_held_out leave nothing to make of the data set's pairs; raise one of the two";
  }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    const auto prompts = prompts_of(data);
    std::int64_t held_out = 0;
    for (const auto& [caption, out] : prompts) held_out += out ? 1 : 0;
    const auto each = [](std::int64_t images, std::int64_t group) {
      return group > 0 ? (images + group - 1) / group : 0;
    };
    const std::int64_t each_held_out = each(images_held_out_, held_out);
    const std::int64_t each_seen = each(images_seen_, std::ssize(prompts) - held_out);
    std::vector<Item> items;
    for (const auto& [caption, out] : prompts) {
      const std::int64_t replies = out ? each_held_out : each_seen;
      if (replies == 0) continue;
      items.push_back({.id = caption,
                       .messages = {{Role::user, {text_part(caption)}}},
                       .replies = replies,
                       .expected = to_text(*parse_coloured_shape(caption)),
                       .group = caption,
                       .shown = shown_ > 0,
                       .labels = {{"held_out", out ? "yes" : "no"}}});
    }
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    const ColouredShape expected = *parse_coloured_shape(item.expected);
    const bool held_out = item.labels.at("held_out") == "yes";
    const std::vector<double> apart = eval::distances(outputs);
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      const std::size_t number = records.size();
      ItemRecord record{.id = fmt::format("{} #{}", item.id, number),
                        .input = item.id,
                        .output = "no picture",
                        .expected = item.expected,
                        .group = item.group,
                        .values = {{"colour", 0}, {"shape", 0}},
                        .labels = item.labels};
      if (!output.images.empty()) {
        judge(output.images.front(), expected, protocol_, record);
        if (item.shown && static_cast<std::int64_t>(number) < shown_) {
          record.images = {{output.images.front(), item.expected + (held_out ? " *" : ""), record.score == 1}};
        }
      }
      if (number < apart.size()) record.values["distance"] = apart[number];
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData& data, std::span<const ItemRecord> records,
                               std::uint64_t seed) const override {
    std::vector<Score> scores;
    for (const char* held_out : {"no", "yes"}) {
      std::vector<const ItemRecord*> members;
      for (const ItemRecord& record : records) {
        if (record.labels.at("held_out") == held_out) members.push_back(&record);
      }
      if (!members.empty()) add_scores(members, held_out == std::string_view("yes"), seed, scores);
    }
    scores.push_back(scorer_reference("generation/scorer_on_real", data, protocol_));
    for (Score& diversity : eval::diversity_score("generation", records)) scores.push_back(std::move(diversity));
    return scores;
  }

 private:
  /// Captions of all pairs that the data know, and whether each is held out.
  static std::map<std::string, bool> prompts_of(const TaskData& data) {
    std::map<std::string, bool> prompts;
    for (const Dataset* dataset : data.datasets) {
      for_each_sample(*dataset, Split::test, [&](Sample&& sample) {
        const std::string caption = label_of(sample, "class");
        if (parse_coloured_shape(caption)) prompts.emplace(caption, label_of(sample, "held_out") == "yes");
        return true;
      });
    }
    return prompts;
  }

  static bool right(const ItemRecord& record, const char* what) { return record.values.at(what) == 1; }

  /// Scores of seen or of held-out pairs; as references those of single held-out pairs, and that of the same pictures
  /// under each other's prompts: the floor.
  void add_scores(const std::vector<const ItemRecord*>& members, bool held_out, std::uint64_t seed,
                  std::vector<Score>& scores) const {
    const std::string name = held_out ? "generation/held_out" : "generation/seen";
    std::vector<std::string> shuffled;
    eval::Clusters prompts;
    std::vector<std::int64_t> clusters;  // whole prompts fail together
    for (const ItemRecord* record : members) {
      shuffled.push_back(record->expected);
      clusters.push_back(prompts.of(record->group));
    }
    std::mt19937_64 engine(derive_seed(seed, name));
    for (auto left = shuffled.size(); left > 1; --left) std::swap(shuffled[left - 1], shuffled[engine() % left]);
    ShapeTally tally, floor;
    std::map<std::string, ShapeTally> pairs;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const ItemRecord& record = *members[i];
      tally.add(right(record, "colour"), right(record, "shape"));
      if (held_out) pairs[record.expected].add(right(record, "colour"), right(record, "shape"));
      const auto found = parse_coloured_shape(record.output), wanted = parse_coloured_shape(shuffled[i]);
      floor.add(found && found->colour == wanted->colour, found && found->shape == wanted->shape);
    }
    const std::string protocol = protocol_name(protocol_);
    const auto group = tally.scores(name, protocol, clusters);
    scores.insert(scores.end(), group.begin(), group.end());
    for (const auto& [pair, part] : pairs) {
      scores.push_back(eval::as_reference(part.score(fmt::format("{}: {}", name, pair), protocol)));
    }
    scores.push_back(eval::as_reference(floor.score(name + "_shuffled", protocol)));
  }

  ShapeProtocol protocol_;
  std::int64_t images_seen_, images_held_out_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_generation(const Parameters& parameters, const BuildContext& context) {
  return create<Generation>(parameters, context);
}

}  // namespace blip3u::easy_vqa
