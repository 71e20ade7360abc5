// The ceiling of generation: what is left of real pictures after encoder and decoder.
#include "easy_vqa/judge.h"
#include "easy_vqa/tasks.h"
#include "eval/pixels.h"

namespace blip3u::easy_vqa {

namespace {

class Reconstruction final : public Task {
 public:
  Reconstruction(const Parameters& parameters, const BuildContext&)
      : protocol_(shape_protocol(parameters.text("scorer"))),
        most_images_(parameters.integer("images")),
        shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::reconstruct; }

  std::string missing_for(const TaskData& data) const override {
    if (!test_truths(data).empty()) return {};
    return "no test picture is labelled with its colour and shape; take the task out of the recipe, or use "
           "tasks/reconstruction";
  }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    for (const Truth& truth : test_truths(data)) {
      if (most_images_ > 0 && std::ssize(items) == most_images_) break;
      items.push_back({.id = truth.id,
                       .images = {truth.image},
                       .expected = to_text(truth.shape),
                       .group = truth.id,
                       .shown = std::ssize(items) < shown_});
    }
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      const Tensor& made = output.images.at(0);
      ItemRecord record{.id = item.id, .input = "the image", .output = {}, .expected = {}, .group = item.group};
      judge(made, *parse_coloured_shape(item.expected), protocol_, record);
      record.values["error"] = eval::absolute_error(made, item.images.at(0));
      if (item.shown) {
        record.images = {{item.images.at(0), "real " + item.id, true}, {made, "decoded " + item.id, record.score == 1}};
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData& data, std::span<const ItemRecord> records,
                               std::uint64_t) const override {
    ShapeTally tally;
    for (const ItemRecord& record : records) {
      tally.add(record.values.at("colour") == 1, record.values.at("shape") == 1);
    }
    std::vector<Score> scores = tally.scores("reconstruction", protocol_name(protocol_));
    scores.push_back(scorer_reference("reconstruction/scorer_on_real", data, protocol_));
    scores.push_back(eval::absolute_error_score("reconstruction", records));
    return scores;
  }

 private:
  ShapeProtocol protocol_;
  std::int64_t most_images_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_reconstruction(const Parameters& parameters, const BuildContext& context) {
  return create<Reconstruction>(parameters, context);
}

}  // namespace blip3u::easy_vqa
