// How far pictures are from themselves after encoder and decoder.
#include <memory>
#include <string>
#include <vector>

#include "blip3u/plugin.h"
#include "blip3u/task.h"
#include "components.h"
#include "eval/pixels.h"
#include "samples.h"

namespace blip3u::eval {

namespace {

class Reconstruction final : public Task {
 public:
  Reconstruction(const Parameters& parameters, const BuildContext&)
      : most_images_(parameters.integer("images")), shown_(parameters.integer("shown")) {}

  Model::Ability needs() const override { return Model::Ability::reconstruct; }

  std::string missing_for(const TaskData& data) const override {
    if (!items(data, 0).empty()) return {};
    return "the data set has no test images; set some apart, or take the task out of the recipe";
  }

  std::vector<Item> items(const TaskData& data, std::uint64_t) const override {
    std::vector<Item> items;
    for_each_test_picture(data, [&](Sample&& sample, const std::string& name, const Dataset&) {
      if (most_images_ > 0 && std::ssize(items) == most_images_) return false;
      items.push_back({.id = name,
                       .images = {sample.images.front()},
                       .expected = {},  // itself
                       .group = name,
                       .shown = std::ssize(items) < shown_});
      return true;
    });
    return items;
  }

  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      const Tensor& made = output.images.at(0);
      const double error = absolute_error(made, item.images.at(0));
      ItemRecord record{.id = item.id,
                        .input = "the image",
                        .output = {},
                        .expected = item.expected,
                        .score = -error,
                        .group = item.group,
                        .values = {{"error", error}}};
      if (item.shown) {
        record.images = {{item.images.at(0), "real " + item.id, true}, {made, "decoded " + item.id, true}};
      }
      records.push_back(std::move(record));
    }
    return records;
  }

  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    return {absolute_error_score("reconstruction", records)};
  }

 private:
  std::int64_t most_images_, shown_;
};

}  // namespace

std::unique_ptr<Component> create_reconstruction(const Parameters& parameters, const BuildContext& context) {
  return create<Reconstruction>(parameters, context);
}

}  // namespace blip3u::eval
