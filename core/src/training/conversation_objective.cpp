#include "training/conversation_objective.h"

#include <cmath>
#include <map>

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "model/messages.h"
#include "model/reader.h"
#include "training/common_objective.h"
#include "training/conversations.h"
#include "training/word_dropout.h"

namespace blip3u {

namespace {

class ConversationObjective final : public CommonObjective {
 public:
  ConversationObjective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline, const Dataset& dataset,
                        const FeatureTable* features)
      : CommonObjective(stage, seed, pipeline, dataset), features_(features) {
    if (stage.text_weight > 0) questions_ = question_dialogues(dataset);
    if (stage.image_weight > 0) pictures_ = picture_dialogues(dataset);
    const double share = questions_.empty() ? 1.0 : pictures_.empty() ? 0.0 : stage.image_share;
    made_ = std::llround(share * static_cast<double>(stage.batch));
    if (pictures_.empty()) return;
    objective_ = dynamic_cast<Objective*>(&pipeline.sampler());
    if (objective_ == nullptr) {
      throw Error(Fault::usage, fmt::format("pipeline.sampler: `{}` only solves and trains nothing; name it under "
                                            "pipeline.solver, and a sampler with an objective here",
                                            pipeline.recipe().pipeline.sampler->name));
    }
    set_feature_scale();
  }

  std::vector<Loss> losses(std::int64_t step) override {
    std::vector<Row> rows = question_rows(step);
    for (Row& row : picture_rows(step)) rows.push_back(std::move(row));
    std::map<std::size_t, std::vector<Row>> alike;  // rows that make equally many pictures go on in step
    for (Row& row : rows) alike[row.stretches.size()].push_back(std::move(row));
    std::vector<Loss> losses;
    for (const auto& [stretches, group] : alike) {
      for (Loss& loss : learn(group)) add(losses, std::move(loss));
    }
    return losses;
  }

 private:
  struct Row {
    std::int64_t image;                        // in the training split
    std::vector<std::vector<Span>> stretches;  // cut before each picture that is made
    std::uint64_t noise;                       // seed
    bool empty;                                // its prompt was replaced by nothing
  };

  Row make_row(std::int64_t image, const std::vector<Message>& messages, std::int64_t step, std::int64_t index,
               bool empty) const {
    const std::uint64_t seed = derive_seed(derive_seed(seed_, "noise"), static_cast<std::uint64_t>(step));
    return {image, cut_at_made_pictures(pipeline_.tokenizer().render(messages, /*open_reply=*/false)),
            derive_seed(seed, static_cast<std::uint64_t>(index)), empty};
  }

  std::vector<Row> question_rows(std::int64_t step) {
    std::vector<Row> rows;
    const auto size = static_cast<std::int64_t>(questions_.size());
    for (const std::int64_t place : question_order_.batch(order_seed(), size, stage_.batch - made_, step)) {
      const Dialogue& dialogue = questions_[static_cast<std::size_t>(place)];
      const Question& question =
          dataset_.example(Split::train, dialogue.image).questions[static_cast<std::size_t>(dialogue.question)];
      const auto messages = question_messages(pipeline_.recipe(), question.text, question.answer);
      rows.push_back(make_row(dialogue.image, messages, step, made_ + std::ssize(rows), false));
    }
    return rows;
  }

  std::vector<Row> picture_rows(std::int64_t step) {
    std::vector<Dialogue> chosen;
    std::vector<std::string> prompts;
    Generator choice = noise(step, "condition dropout");
    const Tensor kept = choice.uniform({1}, at::kCPU).flatten().ge(stage_.dropout);
    const auto size = static_cast<std::int64_t>(pictures_.size());
    for (const std::int64_t place : picture_order_.batch(order_seed(), size, made_, step)) {
      const bool keep = kept.const_data_ptr<bool>()[chosen.size()];
      chosen.push_back(pictures_[static_cast<std::size_t>(place)]);
      prompts.push_back(keep ? dataset_.example(Split::train, chosen.back().image).caption : std::string());
    }
    if (stage_.word_dropout > 0) {
      Generator words = noise(step, "word dropout");
      drop_words(prompts, stage_.word_dropout, words);
    }
    std::vector<Row> rows;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      rows.push_back(make_row(chosen[i].image, prompt_messages(pipeline_.recipe(), prompts[i]), step,
                              static_cast<std::int64_t>(i), !kept.const_data_ptr<bool>()[i]));
    }
    return rows;
  }

  std::uint64_t order_seed() const { return derive_seed(seed_, "order"); }

  // Held-out pictures lend nothing to generation.
  void set_feature_scale() const {
    const Visual& all = features_->all();
    if (!all.x.defined() || all.codes.defined()) return;
    const at::NoGradGuard no_grad;
    std::vector<std::int64_t> usable;
    for (const Dialogue& dialogue : pictures_) usable.push_back(dialogue.image);
    const Tensor flat = all.x.index_select(0, at::tensor(usable, at::kLong)).flatten(0, 1);
    FeatureScale& scale = pipeline_.feature_scale();
    scale.mean.copy_(flat.mean(0));
    scale.deviation.copy_(flat.std(0, /*unbiased=*/false).clamp_min(1e-6));
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
  std::vector<Loss> learn(const std::vector<Row>& rows) {
    std::vector<std::int64_t> which;
    std::vector<std::uint64_t> seeds;
    Tensor empty = at::zeros({std::ssize(rows)}, at::kBool);
    for (const Row& row : rows) {
      empty.mutable_data_ptr<bool>()[which.size()] = row.empty;
      which.push_back(row.image);
      seeds.push_back(row.noise);
    }
    const Visual features = features_ ? features_->rows(which) : pipeline_.encoder().encode(images(which));
    Generator generator(seeds);
    Backbone& backbone = pipeline_.backbone();
    const auto session = backbone.begin(static_cast<std::int64_t>(rows.size()));
    std::vector<Loss> losses;
    Tensor state;
    const std::size_t count = rows.front().stretches.size();
    for (std::size_t k = 0; k < count; ++k) {
      std::vector<std::vector<Span>> stretch;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        stretch.push_back(rows[i].stretches[k]);
        for (Span& span : stretch.back()) {
          if (span.image >= 0) span.image = static_cast<std::int64_t>(i);  // each row knows one picture
        }
      }
      const bool last = k + 1 == count;
      if (last && k > 0 && stage_.text_weight <= 0) break;  // nobody asks what follows the last picture
      const Purpose purpose = stage_.text_weight <= 0 ? Purpose::context : last ? Purpose::learn_last : Purpose::learn;
      const Reading reading = read_spans(backbone, pipeline_.device(), *session, stretch, {features}, state, purpose);
      state = reading.state;
      if (reading.logits.defined()) add(losses, text_loss(reading));
      if (last) break;
      Visual target = features;
      if (!target.codes.defined()) {
        target.x = (target.x - pipeline_.feature_scale().mean) / pipeline_.feature_scale().deviation;
      }
      auto condition = pipeline_.denoiser().prepare({.context = *session});
      if (auto* const nulls = dynamic_cast<Nulls*>(&pipeline_.denoiser())) {
        condition = nulls->null(*condition, empty.to(pipeline_.device()));
      }
      for (Loss& loss : objective_->loss({pipeline_.denoiser(), target, *condition, generator})) {
        add(losses, std::move(loss));
      }
    }
    return losses;
  }

  const FeatureTable* features_;
  Objective* objective_ = nullptr;  // of the sampler, if pictures are made
  std::vector<Dialogue> questions_, pictures_;
  ShuffledOrder question_order_, picture_order_;
  std::int64_t made_ = 0;  // rows of a batch that make a picture
};

}  // namespace

std::unique_ptr<StageObjective> make_conversation_objective(const Stage& stage, std::uint64_t seed, Pipeline& pipeline,
                                                            const Dataset& dataset, const FeatureTable* features) {
  return std::make_unique<ConversationObjective>(stage, seed, pipeline, dataset, features);
}

}  // namespace blip3u
