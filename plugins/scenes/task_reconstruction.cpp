// The ceiling of generation: what is left of real pictures after encoder and decoder.
#include <fmt/format.h>

#include "eval/pixels.h"
#include "eval/statistics.h"
#include "scenes/asking.h"
#include "scenes/rules.h"
#include "scenes/tasks.h"

namespace blip3u::scenes {

namespace {

class Reconstruction final : public Task {
 public:
  Reconstruction(const Parameters& parameters, const BuildContext&)
      : most_images_(parameters.integer("images")), shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::reconstruct; }

  std::string missing_for(const TaskData& data) const override { return missing_test_samples(data, "draw"); }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    for_each_test_sample(data, "draw", [&](Sample&& sample, const std::string& id) {
      items.push_back({.id = id,
                       .images = {sample.images.back()},
                       .expected = label_of(sample, "scene"),
                       .group = id,
                       .labels = {{"type", label_of(sample, "type")}, {"part", part_of(sample)}}});
      return true;
    });
    return allotted(std::move(items), most_images_, shown_);
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    const Scene scene = parse_scene(item.expected);
    const Description wanted = describe(scene);
    const auto right = [&](const Reading& reading) { return judge(reading, wanted).strict; };
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      const Tensor &made = output.images.at(0), &real = item.images.at(0);
      const Tensor picture = readable(made);
      const Reading reading = read_scene(picture);
      ItemRecord record{.id = item.id,
                        .input = "the image",
                        .output = reading.text(),
                        .expected = item.expected,
                        .score = right(reading) ? 1.0 : 0.0,
                        .group = item.group,
                        .values = {{"in_place", same_scene(scene, reading, picture.size(1)) ? 1.0 : 0.0},
                                   {"real", right(read_scene(readable(real))) ? 1.0 : 0.0},
                                   {"objects", static_cast<double>(scene.objects.size())},
                                   {"error", eval::absolute_error(made, real)}},
                        .labels = item.labels};
      if (item.shown) record.images = {{real, "real", true}, {made, "decoded " + item.expected, record.score == 1}};
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    Share strict, in_place, real;
    Shares numbers;
    for (const ItemRecord& record : records) {
      strict.add(record.score == 1);
      in_place.add(record.values.at("in_place") == 1);
      real.add(record.values.at("real") == 1);
      numbers[fmt::format("reconstruction/of_{:.0f}_objects", record.values.at("objects"))].add(record.score == 1);
    }
    std::vector<Score> scores = {score_of("reconstruction", strict_protocol, strict),
                                 score_of("reconstruction/in_place", strict_protocol, in_place)};
    for (const auto& [name, share] : numbers) scores.push_back(score_of(name, strict_protocol, share));
    scores.push_back(eval::as_reference(score_of("reconstruction/scorer_on_real", strict_protocol, real)));
    scores.push_back(eval::absolute_error_score("reconstruction", records));
    return scores;
  }

 private:
  std::int64_t most_images_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_reconstruction(const Parameters& parameters, const BuildContext& context) {
  return create<Reconstruction>(parameters, context);
}

}  // namespace blip3u::scenes
