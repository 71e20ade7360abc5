// A task of few items and a model that remembers what it was asked.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/model.h"
#include "blip3u/task.h"

namespace blip3u::testing {

inline Tensor grey(std::int64_t level, std::int64_t size = 4) {
  return at::full({3, size, size}, level, at::TensorOptions().dtype(at::kByte));
}

/// Its items are what a test says; a reply's score is its seed, first pixel or best choice, as far as it has one.
class FakeTask final : public Task {
 public:
  explicit FakeTask(Model::Ability ability, std::vector<Item> items) : ability_(ability), items_(std::move(items)) {}

  Model::Ability needs() const override { return ability_; }
  std::vector<Item> items(const TaskData&, std::uint64_t) const override {
    if (throws) throw std::out_of_range("no such item");
    return items_;
  }
  std::vector<ItemRecord> score(const Item& item, std::span<const Output> outputs) const override {
    std::vector<ItemRecord> records;
    for (const Output& output : outputs) {
      ItemRecord record{.id = item.id, .output = output.text};
      for (const Output& next : output.follow_ups)
        record.output += fmt::format(" > {} {}", next.text, next.images.size());
      if (!output.images.empty()) record.score = output.images.front()[0][0][0].item<double>();
      if (!output.choices.empty()) {
        record.score = static_cast<double>(std::ranges::max_element(output.choices) - output.choices.begin());
      }
      if (shows_floats) record.images.push_back({.image = at::zeros({3, 4, 4})});
      records.push_back(std::move(record));
    }
    if (forgets) records.pop_back();
    return records;
  }
  std::vector<Score> summarise(const TaskData&, std::span<const ItemRecord> records, std::uint64_t) const override {
    double sum = 0;
    for (const ItemRecord& record : records) sum += record.score;
    return {{.name = "fake", .value = sum, .count = std::ssize(records)}};
  }

  bool throws = false, forgets = false, shows_floats = false;

 private:
  Model::Ability ability_;
  std::vector<Item> items_;
};

/// Answers with its seed, its words and the first pixel of its pictures; makes pictures of one pixel value, which the
/// seed decides; likes the choice that is as long as the first pixel says.
class FakeModel final : public Model {
 public:
  std::string missing_for(Ability) const override { return {}; }

  Tensor classify(const Tensor& images, const std::vector<std::string>& captions) override {
    calls.push_back(images.size(0));
    Tensor similarities = at::zeros({images.size(0), std::ssize(captions)});
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      for (std::int64_t c = 0; c < std::ssize(captions); ++c) {
        const auto length = static_cast<double>(captions[static_cast<std::size_t>(c)].size());
        similarities[i][c] = -std::abs(length - level(images[i]));
      }
    }
    return similarities;
  }
  Tensor embed_images(const Tensor&) override { throw Error("tasks do not ask for embeddings"); }
  Tensor embed_texts(const std::vector<std::string>&) override { throw Error("tasks do not ask for embeddings"); }

  std::vector<Reply> respond(std::span<const Request> requests, const Events&) override {
    if (calls.size() == fail_at) throw Error("the power failed");
    calls.push_back(std::ssize(requests));
    std::vector<Reply> replies;
    for (const Request& request : requests) {
      Reply reply{.message = {Role::assistant, {}}};
      if (request.want == Want::image) {
        reply.message.content = {image_part(std::ssize(request.images))};
        reply.images = {at::full({3, 8, 8}, static_cast<double>(request.seed % 256) / 127.5 - 1)};
      } else {
        std::string text = std::to_string(request.seed) + " " + request.messages.front().content.front().text;
        for (const Tensor& image : request.images) text += " " + std::to_string(level(image));
        reply.message.content = {text_part(text)};
      }
      last_messages = request.messages;
      for (const Tensor& image : request.images) pictures.insert(image.unsafeGetTensorImpl());
      replies.push_back(std::move(reply));
    }
    return replies;
  }

  std::vector<double> log_likelihood(std::span<const Request> requests,
                                     const std::vector<std::string>& replies) override {
    calls.push_back(std::ssize(requests));
    std::vector<double> values;
    for (std::size_t i = 0; i < replies.size(); ++i) {
      const bool likely = replies[i] == requests[i].messages.front().content.front().text;
      values.push_back(likely ? -0.5 : -std::numeric_limits<double>::infinity());
    }
    return values;
  }

  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) override {
    calls.push_back(images.size(0));
    reconstructed_seeds = seeds;
    return images;
  }

  std::vector<std::int64_t> calls;     ///< how many were asked at once, of each call
  std::size_t fail_at = 1000;          ///< the call that fails
  std::vector<Message> last_messages;  ///< of the last request
  std::set<const void*> pictures;      ///< different tensors that requests brought
  std::vector<std::uint64_t> reconstructed_seeds;

 private:
  static int level(const Tensor& image) {
    return static_cast<int>(std::lround((image[0][0][0].item<double>() + 1) * 127.5));
  }
};

}  // namespace blip3u::testing
