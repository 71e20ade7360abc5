// Hand-made samples and a model that replies what each test says, for the tasks, which are loaded as a plugin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/error.h"
#include "blip3u/image.h"
#include "blip3u/model.h"
#include "blip3u/task.h"
#include "components.h"
#include "evaluating/evaluate.h"
#include "scenes/placing.h"
#include "scenes/render.h"
#include "temporary_folder.h"

namespace blip3u::scenes {

using Labels = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::int64_t side = 32;

inline std::string texts_of(const std::vector<Message>& messages) {
  std::string texts;
  for (const Message& message : messages) {
    for (const Part& part : message.content) texts += part.type == Part::Type::text ? part.text + "|" : "<image>|";
  }
  return texts;
}

class Samples : public Dataset, public Indexed {
 public:
  std::vector<Chapter> chapters(Split split) const override { return {{"samples", samples(split)}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return "samples"; }
  std::int64_t samples(Split split) const override { return std::ssize(split == Split::test ? test : train); }
  Sample sample(Split split, std::int64_t index) const override {
    return (split == Split::test ? test : train)[static_cast<std::size_t>(index)];
  }

  Sample& add(std::string id, std::vector<Message> messages, std::vector<Tensor> images, Labels labels) {
    test.push_back({.id = std::move(id), .messages = std::move(messages), .images = std::move(images)});
    test.back().labels = std::move(labels);
    return test.back();
  }

  void draw(const std::string& prompt, const std::string& type, const std::string& wanted,
            const std::string& held_out = "no", const std::string& wording = "seen") {
    const Scene scene = realise(parse_description(wanted), engine);
    add(prompt, {{Role::user, {text_part(prompt)}}, {Role::assistant, {image_part(0, 1)}}}, {render(scene, side)},
        {{"kind", "draw"},
         {"type", type},
         {"wanted", wanted},
         {"scene", to_text(scene)},
         {"held_out", held_out},
         {"wording", wording}});
  }

  void ask(const std::string& question, const std::string& type, const std::string& answer,
           const std::string& kind = "question") {
    add(question + std::to_string(test.size()),
        {{Role::user, {image_part(0), text_part(question)}}, {Role::assistant, {text_part(answer, 1)}}},
        {render({}, side)}, {{"kind", kind}, {"type", type}, {"answer", answer}});
  }

  void edit(const std::string& request, const std::string& type, const Scene& source, const Scene& target) {
    add(request, {{Role::user, {image_part(0), text_part(request)}}, {Role::assistant, {image_part(1, 1)}}},
        {render(source, side), render(target, side)},
        {{"kind", "edit"}, {"type", type}, {"source", to_text(source)}, {"target", to_text(target)}});
  }

  std::vector<Sample> test, train;
  Engine engine{3};
};

/// Replies what the samples' own assistant does, or what a test says; keeps what it was asked.
class Scripted : public Model {
 public:
  explicit Scripted(const Samples& samples) {
    for (const Sample& sample : samples.test) {
      for (std::size_t i = 0; i < sample.messages.size(); ++i) {
        const Message& message = sample.messages[i];
        if (message.role != Role::assistant) continue;
        std::vector<Message> before(sample.messages.begin(), sample.messages.begin() + static_cast<std::ptrdiff_t>(i));
        for (const Part& part : message.content) {
          if (part.type == Part::Type::text) {
            texts[texts_of(before)] = part.text;
            before.push_back({Role::assistant, {part}});
          } else {
            pictures[texts_of(before)] = sample.images.at(static_cast<std::size_t>(part.image));
          }
        }
      }
    }
  }

  std::string missing_for(Ability) const override { return {}; }
  Tensor classify(const Tensor&, const std::vector<std::string>&) override { throw Error("not asked for"); }
  Tensor embed_images(const Tensor&) override { throw Error("not asked for"); }
  Tensor embed_texts(const std::vector<std::string>&) override { throw Error("not asked for"); }
  std::vector<double> log_likelihood(std::span<const Request>, const std::vector<std::string>&) override {
    throw Error("not asked for");
  }
  Tensor reconstruct(const Tensor& images, const std::vector<std::uint64_t>&) override {
    return blank ? from_bytes(render({}, side)).expand_as(images).clone() : images.clone();
  }
  std::vector<Reply> respond(std::span<const Request> requests, const Events& events) override {
    std::vector<Reply> replies;
    for (const Request& request : requests) {
      const std::string key = texts_of(request.messages);
      asked.push_back(key);
      Reply reply{.message = {Role::assistant, {}}};
      const bool chooses = request.want == Want::any;
      if (request.want == Want::text || (chooses && texts.contains(key))) {
        reply.message.content = {text_part(texts.at(key))};
        if (const auto found = pictures.find(key + texts.at(key) + "|"); chooses && found != pictures.end()) {
          reply.message.content.push_back(image_part(std::ssize(request.images)));
          reply.images = {from_bytes(found->second)};
        }
      } else {
        reply.message.content = {image_part(std::ssize(request.images))};
        reply.images = {from_bytes(blank ? render({}, side) : pictures.at(key))};
      }
      if (events.finished) events.finished(replies.size(), reply);
      replies.push_back(std::move(reply));
    }
    return replies;
  }

  std::map<std::string, std::string> texts;
  std::map<std::string, Tensor> pictures;
  std::vector<std::string> asked;
  bool blank = false;  // makes nothing but the ground of day
};

inline TaskResult run(const std::string& name, Model& model, const Samples& samples, const Overrides& changes = {}) {
  const TemporaryFolder folder("blip3u-scenes");
  const Dataset* const all = &samples;
  return evaluate(*make<Task>(Kind::task, name, changes), model, {{&all, 1}, side}, 5, folder / "replies", {});
}

inline const Score& score(const TaskResult& result, const std::string& name) {
  for (const auto& found : result.scores) {
    if (found.name == name) return found;
  }
  throw Error("there is no score " + name);
}

}  // namespace blip3u::scenes
