#include "training/conversation_objective.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include <ATen/ATen.h>

#include "blip3u/error.h"
#include "model/contexts.h"
#include "model/messages.h"
#include "model/reader.h"
#include "model/sources.h"
#include "training/common_objective.h"
#include "training/word_dropout.h"

namespace blip3u {

namespace {

bool any_learned(const Sample& sample, Part::Type type) {
  return std::ranges::any_of(sample.messages, [&](const Message& message) {
    return std::ranges::any_of(message.content, [&](const Part& part) { return part.type == type && part.weight > 0; });
  });
}

class ConversationObjective final : public CommonObjective {
 public:
  ConversationObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const TrainingData& data,
                        Features* features)
      : CommonObjective(stage, seed, pipeline), features_(features) {
    const bool texts = stage.text_weight > 0, pictures = stage.image_weight > 0;
    const bool apart = texts && pictures && stage.image_share > 0;
    const std::int64_t made = apart ? std::llround(stage.image_share * static_cast<double>(stage.batch)) : stage.batch;
    const auto accept = [=](const Sample& sample) {
      return (pictures && makes_picture(sample)) || (texts && !apart && learns_text(sample));
    };
    if (made > 0) rows_.emplace("", SampleRows(data, derive_seed(seed, "order"), made, accept));
    if (made < stage.batch) {
      const auto rest = [](const Sample& sample) { return learns_text(sample) && !makes_picture(sample); };
      rows_.emplace("texts.", SampleRows(data, derive_seed(seed, "order of texts"), stage.batch - made, rest));
    }
    if (!pictures) return;
    objective_ = dynamic_cast<Objective*>(&pipeline.sampler());
    if (objective_ == nullptr) {
      throw Error(Fault::usage, fmt::format("pipeline.sampler: `{}` only solves and trains nothing; name it under "
                                            "pipeline.solver, and a sampler with an objective here",
                                            pipeline.recipe().pipeline.sampler->name));
    }
  }

  std::vector<Loss> losses(std::int64_t step) override {
    const std::uint64_t noise = step_seed(step, "noise"), dropout = step_seed(step, "dropout");
    std::vector<Tensor> pictures;
    std::map<std::size_t, std::vector<Row>> alike;  // rows that make equally many pictures go on in step
    std::uint64_t number = 0;
    for (auto& [name, rows] : rows_) {
      for (Sample& sample : rows.next()) {
        Row row = make_row(sample, std::ssize(pictures), derive_seed(dropout, number));
        row.noise = derive_seed(noise, number++);
        pictures.insert(pictures.end(), sample.images.begin(), sample.images.end());
        alike[row.stretches.size()].push_back(std::move(row));
      }
    }
    const Visual seen = see(pictures);
    std::vector<Loss> losses;
    for (const auto& [stretches, group] : alike) {
      for (Loss& loss : learn(group, seen)) add(losses, std::move(loss));
    }
    return losses;
  }

  std::vector<NamedTensor> position() const override {
    std::vector<NamedTensor> result;
    for (const auto& [prefix, rows] : rows_) {
      for (NamedTensor& tensor : rows.position()) result.push_back({prefix + tensor.name, tensor.value});
    }
    return result;
  }

  void go_on_from(const std::vector<NamedTensor>& position) override {
    for (auto& [prefix, rows] : rows_) {
      std::vector<NamedTensor> own;
      for (const NamedTensor& tensor : position) {
        if (tensor.name.starts_with(prefix + "data.")) own.push_back({tensor.name.substr(prefix.size()), tensor.value});
      }
      rows.go_on_from(own);
    }
  }

 private:
  struct Row {
    std::vector<std::vector<Span>> stretches;  // cut before each picture that is made; pictures are those of the batch
    std::uint64_t noise;                       // seed
    bool empty;                                // the conversation before the picture was replaced by nothing
  };

  Row make_row(const Sample& sample, std::int64_t first_picture, std::uint64_t seed) const {
    std::vector<Message> messages = in_templates(pipeline_.recipe(), sample.messages);
    Context context = Context::whole;
    if (stage_.image_weight > 0 && makes_picture(sample)) {
      context = choose_context(seed);
      messages = in_context(messages, context, "");
      if (stage_.word_dropout > 0) drop_words(messages, derive_seed(seed, "words"));
    }
    if (stage_.image_weight <= 0) {
      for (Message& message : messages) {
        for (Part& part : message.content) {
          if (part.type == Part::Type::image) part.weight = 0;
        }
      }
    }
    std::vector<Span> spans = pipeline_.tokenizer().render(messages, /*open_reply=*/false);
    for (Span& span : spans) {
      if (span.image >= 0) span.image += first_picture;
    }
    return {cut_at_made_pictures(std::move(spans)), 0, context == Context::nothing};
  }

  Context choose_context(std::uint64_t seed) const {
    double left = Generator({derive_seed(seed, "context")}).uniform({1}, at::kCPU).item<double>();
    for (const auto& [share, context] :
         {std::pair(stage_.dropout, Context::nothing), std::pair(stage_.text_dropout, Context::no_text),
          std::pair(stage_.image_dropout, Context::no_image)}) {
      if (left < share) return context;
      left -= share;
    }
    return Context::whole;
  }

  /// Of what the user says.
  void drop_words(std::vector<Message>& messages, std::uint64_t seed) const {
    std::uint64_t number = 0;
    for (Message& message : messages) {
      if (message.role != Role::user) continue;
      for (Part& part : message.content) {
        if (part.type != Part::Type::text) continue;
        std::vector<std::string> text{part.text};
        Generator draws({derive_seed(seed, number++)});
        blip3u::drop_words(text, stage_.word_dropout, draws);
        part.text = std::move(text.front());
      }
    }
  }

  Visual see(const std::vector<Tensor>& pictures) {
    if (pictures.empty()) return {};
    if (features_) return features_->of(pictures);
    return encode_pictures(pipeline_.encoder(), pictures, pipeline_.recipe().wiring.image_size, pipeline_.device());
  }

  static void add(std::vector<Loss>& losses, Loss loss) {
    for (Loss& known : losses) {
      if (known.name != loss.name) continue;
      known.sum = known.sum + loss.sum;
      known.count = known.count + loss.count;
      return;
    }
    losses.push_back(std::move(loss));
  }

  // Rows that are cut into equally many stretches.
  std::vector<Loss> learn(const std::vector<Row>& rows, const Visual& seen) {
    std::vector<std::uint64_t> seeds;
    Tensor empty = at::zeros({std::ssize(rows)}, at::kBool);
    for (const Row& row : rows) {
      empty.mutable_data_ptr<bool>()[seeds.size()] = row.empty;
      seeds.push_back(row.noise);
    }
    Generator generator(seeds);
    Backbone& backbone = pipeline_.backbone();
    const auto session = backbone.begin(std::ssize(rows));
    const SeenPictures pictures = seen.x.defined() || seen.codes.defined() ? SeenPictures{seen} : SeenPictures{};
    std::vector<std::vector<std::int64_t>> shown(rows.size());  // pictures of each row so far
    auto* const keeps = dynamic_cast<Keeps*>(pipeline_.part("denoiser"));
    std::vector<Loss> losses;
    Tensor state;
    const std::size_t count = rows.front().stretches.size();
    const Visual all = count > 1 ? pipeline_.scaled(seen) : Visual{};  // as the denoiser sees them
    for (std::size_t k = 0; k < count; ++k) {
      std::vector<std::vector<Span>> stretch;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        stretch.push_back(rows[i].stretches[k]);
        for (const Span& span : stretch.back()) {
          if (span.image >= 0) shown[i].push_back(span.image);
        }
      }
      const bool last = k + 1 == count;
      if (last && k > 0 && stage_.text_weight <= 0) break;  // nobody asks what follows the last picture
      if (keeps != nullptr && k > 0) {                      // the picture stays as the denoiser made it
        std::vector<std::int64_t> made;
        for (auto& row : stretch) {
          made.push_back(row.front().image);
          row.erase(row.begin());
        }
        state = keeps->keep(*session, select_pictures(seen, made));
      }
      const Purpose purpose = stage_.text_weight <= 0 ? Purpose::context : last ? Purpose::learn_last : Purpose::learn;
      const Reading reading = read_spans(backbone, pipeline_.device(), *session, stretch, pictures, state, purpose);
      state = reading.state;
      if (reading.logits.defined()) add(losses, text_loss(reading));
      if (last) break;
      std::vector<std::int64_t> made;
      for (const Row& row : rows) made.push_back(row.stretches[k + 1].front().image);
      const std::vector<Visual> sources = source_pictures(all, shown);
      auto condition = pipeline_.denoiser().prepare({.context = *session, .sources = sources});
      if (auto* const nulls = dynamic_cast<Nulls*>(&pipeline_.denoiser())) {
        condition = nulls->null(*condition, empty.to(pipeline_.device()));
      }
      const Visual target = select_pictures(all, made);
      for (Loss& loss : objective_->loss({pipeline_.denoiser(), target, *condition, generator})) {
        add(losses, std::move(loss));
      }
    }
    return losses;
  }

  Features* features_;
  Objective* objective_ = nullptr;          // of the sampler, if pictures are made
  std::map<std::string, SampleRows> rows_;  // by the prefix of their position
};

}  // namespace

bool learns_text(const Sample& sample) { return any_learned(sample, Part::Type::text); }
bool makes_picture(const Sample& sample) { return any_learned(sample, Part::Type::image); }

std::vector<std::int64_t> made_pictures(const Sample& sample) {
  std::vector<std::int64_t> images;
  for (const Message& message : sample.messages) {
    for (const Part& part : message.content) {
      if (part.type == Part::Type::image && part.weight > 0) images.push_back(part.image);
    }
  }
  return images;
}

std::unique_ptr<StageObjective> make_conversation_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                                            const TrainingData& data, Features* features) {
  return std::make_unique<ConversationObjective>(stage, seed, pipeline, data, features);
}

}  // namespace blip3u
