#include "training/conversation_objective.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include <fmt/format.h>

#include <ATen/ATen.h>

#include "blip3u/error.h"
#include "model/contexts.h"
#include "model/gallery.h"
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
                        FeatureTable& features)
      : CommonObjective(stage, seed, pipeline),
        features_(features),
        learned_(learned_links(stage, pipeline.recipe().pipeline)),
        keeps_(std::ranges::any_of(pipeline.links(),
                                   [](const Link& link) { return dynamic_cast<Keeps*>(link.denoiser) != nullptr; })) {
    const bool texts = stage.text_weight > 0, pictures = stage.image_weight > 0;
    const bool apart = texts && pictures && stage.image_share > 0;
    const std::int64_t made = apart ? std::llround(stage.image_share * static_cast<double>(stage.batch)) : stage.batch;
    const auto accept = [=, filter = stage.filter](const Sample& sample) {
      return meets(sample, filter) && ((pictures && makes_picture(sample)) || (texts && !apart && learns_text(sample)));
    };
    if (made > 0) rows_.emplace("", SampleRows(data, derive_seed(seed, "order"), made, accept));
    if (made < stage.batch) {
      const auto rest = [filter = stage.filter](const Sample& sample) {
        return meets(sample, filter) && learns_text(sample) && !makes_picture(sample);
      };
      rows_.emplace("texts.", SampleRows(data, derive_seed(seed, "order of texts"), stage.batch - made, rest));
    }
    for (const std::size_t link : learned_) {
      if (dynamic_cast<Objective*>(pipeline.links()[link].sampler) != nullptr) continue;
      const std::string& role = pipeline.recipe().pipeline.generation[link].sampler;
      throw Error(Fault::usage,
                  fmt::format("pipeline.{0}: `{1}` only solves and trains nothing; name it as the solver, "
                              "and a sampler with an objective here",
                              role, pipeline.recipe().pipeline.parts.at(role).name));
    }
  }

  std::vector<LossPart> losses(std::int64_t step) override {
    const std::uint64_t noise = step_seed(step, "noise"), dropout = step_seed(step, "dropout");
    std::vector<Row> rows;
    for (auto& [name, source] : rows_) {
      for (Sample& sample : source.next()) {
        const std::uint64_t number = rows.size();
        Row row = make_row(sample, derive_seed(dropout, number));
        row.noise = derive_seed(noise, number);
        rows.push_back(std::move(row));
      }
    }
    std::vector<LossPart> parts;
    for (std::vector<Row>& part : cut(std::move(rows))) {
      parts.push_back([this, part = std::move(part)]() mutable { return terms(std::move(part)); });
    }
    return parts;
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
    std::vector<std::vector<Span>> stretches;  // cut before each picture that is made
    std::vector<Tensor> images;                // which the spans number
    std::uint64_t noise;                       // seed
    bool empty;                                // the conversation before the picture was replaced by nothing

    /// About how long it takes to learn, in tokens.
    std::int64_t length() const {
      constexpr std::int64_t of_picture = 24;
      std::int64_t tokens = 0;
      for (const auto& stretch : stretches) {
        for (const Span& span : stretch) tokens += span.image < 0 ? std::ssize(span.ids) : of_picture;
      }
      return tokens;
    }
  };

  /// The stage's parts of a batch, about equally long, of rows that are alike.
  std::vector<std::vector<Row>> cut(std::vector<Row> rows) const {
    std::vector<std::vector<Row>> parts(1);
    if (stage_.parts > 1) {
      std::ranges::stable_sort(rows, {}, [](const Row& row) { return std::pair(row.stretches.size(), row.length()); });
    }
    std::int64_t whole = 0, before = 0;
    for (const Row& row : rows) whole += row.length();
    for (Row& row : rows) {
      if (before * stage_.parts >= whole * std::ssize(parts)) parts.emplace_back();
      before += row.length();
      parts.back().push_back(std::move(row));
    }
    return parts;
  }

  std::vector<Term> terms(std::vector<Row> rows) {
    Gallery gallery(pipeline_, [this](const std::string& role, std::span<const Tensor> pictures) {
      const auto frozen = features_.find(role);
      if (frozen != features_.end()) return frozen->second.of(pictures);
      return encode_by(pipeline_, role, pictures);
    });
    std::map<std::size_t, std::vector<Row>> alike;  // rows that make equally many pictures go on in step
    for (Row& row : rows) {
      const std::int64_t first = gallery.add(row.images);
      for (auto& stretch : row.stretches) {
        for (Span& span : stretch) {
          if (span.image >= 0) span.image += first;
        }
      }
      alike[row.stretches.size()].push_back(std::move(row));
    }
    std::vector<Term> terms;
    for (const auto& [stretches, group] : alike) learn(group, gallery, terms);
    take_losses("backbone", nullptr, 1, terms);
    return terms;
  }

  Row make_row(Sample& sample, std::uint64_t seed) const {
    std::vector<Message> messages = in_templates(pipeline_.recipe(), sample.messages);
    Context context = Context::whole;
    if (stage_.image_weight > 0 && makes_picture(sample)) {
      context = choose_context(seed);
      messages = in_context(messages, context, "");
      if (stage_.word_dropout > 0) drop_words(messages, derive_seed(seed, "words"));
    }
    if (stage_.image_weight <= 0 && !keeps_) {  // else they are kept, as in use
      for (Message& message : messages) {
        for (Part& part : message.content) {
          if (part.type == Part::Type::image) part.weight = 0;
        }
      }
    }
    std::vector<Span> spans = pipeline_.tokenizer().render(messages, /*open_reply=*/false);
    return {cut_at_made_pictures(std::move(spans)), std::move(sample.images), 0, context == Context::nothing};
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

  static void add(std::vector<Term>& terms, Term term) {
    for (Term& known : terms) {
      if (known.loss.name != term.loss.name) continue;
      known.loss.sum = known.loss.sum + term.loss.sum;
      known.loss.count = known.loss.count + term.loss.count;
      return;
    }
    terms.push_back(std::move(term));
  }

  /// What a part learns besides, if it can and learns here.
  void take_losses(const std::string& role, const Visual* target, double factor, std::vector<Term>& terms) {
    auto* const able = dynamic_cast<LearnsBesides*>(pipeline_.part(role));
    if (able == nullptr) return;
    for (Loss& loss : able->take_losses(target)) {
      if (trains(stage_, role)) add(terms, term(std::move(loss), role, role + ".", factor));
    }
  }

  /// Rows that are cut into equally many stretches.
  void learn(const std::vector<Row>& rows, Gallery& gallery, std::vector<Term>& terms) {
    std::vector<std::uint64_t> seeds;
    Tensor empty = at::zeros({std::ssize(rows)}, at::kBool);
    for (const Row& row : rows) {
      empty.mutable_data_ptr<bool>()[seeds.size()] = row.empty;
      seeds.push_back(row.noise);
    }
    Generator generator(seeds);
    Backbone& backbone = pipeline_.backbone();
    const auto session = backbone.begin(std::ssize(rows));
    const SeenPictures pictures = gallery.read();
    std::vector<std::vector<std::int64_t>> shown(rows.size());  // pictures of each row so far
    Tensor state;
    bool kept = false;  // the picture before this stretch stays as a denoiser made it
    const std::size_t count = rows.front().stretches.size();
    for (std::size_t k = 0; k < count; ++k) {
      std::vector<std::vector<Span>> stretch;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        stretch.push_back(rows[i].stretches[k]);
        for (const Span& span : stretch.back()) {
          if (span.image >= 0) shown[i].push_back(span.image);
        }
        if (kept) stretch.back().erase(stretch.back().begin());
      }
      const bool last = k + 1 == count;
      if (last && k > 0 && stage_.text_weight <= 0) break;  // nobody asks what follows the last picture
      const Purpose purpose = stage_.text_weight <= 0 ? Purpose::context : last ? Purpose::learn_last : Purpose::learn;
      const Reading reading = read_spans(backbone, pipeline_.device(), *session, stretch, pictures, state, purpose);
      state = reading.state;
      if (reading.logits.defined()) add(terms, {text_loss(reading), stage_.text_weight});
      if (last) break;
      std::vector<std::int64_t> made;
      for (const Row& row : rows) made.push_back(row.stretches[k + 1].front().image);
      const bool read_on = stage_.text_weight > 0 || k + 2 < count;
      const Tensor after = make_pictures(*session, made, shown, gallery, empty, generator, read_on, terms);
      kept = after.defined();
      if (kept) state = after;
    }
  }

  /// The losses of the links for one picture of each row. Denoisers commit it as they keep it, where something reads
  /// it: the state that it leaves is returned, undefined where none does.
  Tensor make_pictures(Session& session, const std::vector<std::int64_t>& made,
                       const std::vector<std::vector<std::int64_t>>& shown, Gallery& gallery, const Tensor& empty,
                       Generator& generator, bool read_on, std::vector<Term>& terms) {
    Tensor state;
    Given given{.context = session};
    Visual previous;
    const std::size_t learned = learned_.empty() ? 0 : learned_.back() + 1;
    for (std::size_t k = 0; k < (read_on ? pipeline_.links().size() : learned); ++k) {
      const Link& link = pipeline_.links()[k];
      const LinkChoice& choice = pipeline_.recipe().pipeline.generation[k];
      auto* const keeps = dynamic_cast<Keeps*>(link.denoiser);
      const bool learns = std::ranges::find(learned_, k) != learned_.end();
      if (!learns && keeps == nullptr && k + 1 >= learned) continue;  // nobody asks for its picture
      Visual own = select_pictures(gallery.seen_by(choice.target), made);
      const std::vector<Visual> sources = learns ? gallery.sources(k, shown) : std::vector<Visual>{};
      given.sources = sources;
      if (learns) {
        const auto condition = link.prepare(given, empty);
        const Visual target = link.scaled(own);
        auto& objective = dynamic_cast<Objective&>(*link.sampler);
        const std::string prefix = choice.place.empty() ? "" : choice.place + ".";
        for (Loss& loss : objective.loss({*link.denoiser, target, *condition, generator})) {
          add(terms, term(std::move(loss), choice.sampler, prefix, stage_.image_weight));
        }
        take_losses(choice.denoiser, &target, stage_.image_weight, terms);
      }
      given.hidden = Tensor();
      if (keeps != nullptr && (read_on || k + 1 < learned)) {
        given.hidden = keeps->keep(session, own);
        state = given.hidden.select(1, -1);
      }
      previous = std::move(own);
      given.previous = &previous;
    }
    return state;
  }

  FeatureTable& features_;
  const std::vector<std::size_t> learned_;  // links
  const bool keeps_;                        // a denoiser keeps pictures in the session
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
                                                            const TrainingData& data, FeatureTable& features) {
  return std::make_unique<ConversationObjective>(stage, seed, pipeline, data, features);
}

}  // namespace blip3u
