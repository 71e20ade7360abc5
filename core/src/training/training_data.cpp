#include "training/training_data.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "io/hash.h"
#include "io/say.h"
#include "pipeline/create.h"
#include "pipeline/host.h"

namespace blip3u {

namespace {

bool meets_one(const Sample& sample, std::string_view condition) {
  const auto equals = condition.find('=');
  const bool other = equals > 0 && condition[equals - 1] == '!';
  const bool same = label_of(sample, condition.substr(0, other ? equals - 1 : equals)) == condition.substr(equals + 1);
  return same != other;
}

}  // namespace

void add_texts(const Sample& sample, std::vector<std::string>& texts) {
  texts.insert(texts.end(), sample.captions.begin(), sample.captions.end());
  for (const Message& message : sample.messages) {
    for (const Part& part : message.content) {
      if (part.type == Part::Type::text) texts.push_back(part.text);
    }
  }
}

bool meets(const Sample& sample, const std::vector<std::string>& filter) {
  return std::ranges::all_of(filter, [&](const std::string& condition) { return meets_one(sample, condition); });
}

TrainingData::TrainingData(const Recipe& recipe) : choice_(recipe.data) {
  for (const SourceChoice& source : choice_.sources) {
    const ComponentChoice& choice = source.dataset;
    hosts_.push_back(make_host(choice));
    own_.push_back(
        create_component<Dataset>(choice.entry, choice.name, choice.parameters,
                                  {.wiring = recipe.wiring, .host = hosts_.back().get(), .seed = recipe.seed}));
    datasets_.push_back(own_.back().get());
  }
}

TrainingData::TrainingData(DataChoice choice, std::vector<const Dataset*> datasets)
    : choice_(std::move(choice)), datasets_(std::move(datasets)) {}

std::string TrainingData::fingerprint() const {
  std::string text;
  for (const Dataset* dataset : datasets_) text += dataset->fingerprint() + "\n";
  return sha256_text(text).substr(0, 16);
}

std::vector<std::string> TrainingData::classes() const {
  for (const Dataset* dataset : datasets_) {
    const auto* const known = dynamic_cast<const Classes*>(dataset);
    if (known == nullptr) continue;
    if (std::vector<std::string> classes = known->classes(); !classes.empty()) return classes;
  }
  return {};
}

TaskData TrainingData::for_tasks() const { return {datasets_, choice_.image_size}; }

void TrainingData::require(const std::function<bool(const Sample&)>& accept) const {
  TrainingData tolerant(choice_, datasets_);
  tolerant.choice_.corrupt_share = 0.99;  // how many there are is for training to say
  tolerant.choice_.workers = 0;
  tolerant.named_ = named_;
  tolerant.stream(0, 1, accept)->next();
}

std::unique_ptr<SampleStream> TrainingData::stream(std::uint64_t seed, std::int64_t batch,
                                                   const std::function<bool(const Sample&)>& accept,
                                                   const std::optional<StreamPosition>& from) const {
  std::vector<StreamSource> sources;
  for (std::size_t i = 0; i < datasets_.size(); ++i) {
    const SourceChoice& source = choice_.sources[i];
    const auto wanted = [filter = source.filter, accept](const Sample& sample) {
      return meets(sample, filter) && (!accept || accept(sample));
    };
    sources.push_back({source.dataset.name, datasets_[i], source.weight, wanted});
  }
  return std::make_unique<SampleStream>(std::move(sources),
                                        StreamOptions{.seed = seed,
                                                      .batch = batch,
                                                      .lanes = choice_.lanes,
                                                      .window = choice_.window,
                                                      .workers = choice_.workers,
                                                      .corrupt_share = choice_.corrupt_share,
                                                      .corrupt =
                                                          [named = named_](const std::string& problem) {
                                                            if (named->insert(problem).second)
                                                              say("data: passed over: " + problem);
                                                          }},
                                        from);
}

std::vector<Sample> SampleRows::next() {
  if (!stream_) stream_ = data_.stream(seed_, batch_, accept_);
  std::vector<Sample> samples;
  for (std::int64_t row = 0; row < batch_; ++row) samples.push_back(stream_->next().sample);
  return samples;
}

std::vector<NamedTensor> SampleRows::position() const {
  return stream_ ? to_tensors(stream_->position()) : std::vector<NamedTensor>{};
}

void SampleRows::go_on_from(const std::vector<NamedTensor>& position) {
  if (!position.empty()) stream_ = data_.stream(seed_, batch_, accept_, position_from(position));
}

}  // namespace blip3u
