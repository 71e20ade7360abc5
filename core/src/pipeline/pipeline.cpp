#include "pipeline/pipeline.h"

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "io/interrupt.h"
#include "pipeline/create.h"
#include "pipeline/texts.h"

namespace blip3u {

namespace {

constexpr std::int64_t inference_batch = 64;
constexpr std::int64_t longest_answer = 16;

template <class T>
T& present(const std::unique_ptr<T>& part, const char* role) {
  if (!part)
    throw Error(Fault::usage, fmt::format("this pipeline has no {}; name one under `pipeline.{}`", role, role));
  return *part;
}

template <class T>
std::vector<T> slice_of(const std::vector<T>& values, std::size_t first, std::size_t last) {
  return {values.begin() + static_cast<std::ptrdiff_t>(first), values.begin() + static_cast<std::ptrdiff_t>(last)};
}

}  // namespace

Pipeline::Pipeline(const Recipe& recipe, std::unique_ptr<Tokenizer> tokenizer, at::Device device)
    : recipe_(recipe), device_(device), tokenizer_(std::move(tokenizer)) {
  BuildContext context{.wiring = recipe.wiring, .device = device, .vocabulary = tokenizer_->vocabulary()};
  const auto build = [&]<class Contract>(const std::optional<ComponentChoice>& choice,
                                         std::unique_ptr<Contract>& part) {
    if (!choice) return;
    context.seed = derive_seed(derive_seed(recipe.seed, "initial weights"), kind_name(choice->kind));
    part = create_component<Contract>(choice->entry, choice->name, choice->parameters, context);
  };
  build(recipe.pipeline.encoder, encoder_);
  build(recipe.pipeline.backbone, backbone_);
  build(recipe.pipeline.denoiser, denoiser_);
  build(recipe.pipeline.sampler, sampler_);
  build(recipe.pipeline.decoder, decoder_);
  const std::int64_t width = recipe.wiring.features.width;
  feature_scale_ = {at::zeros({width}, device), at::ones({width}, device)};
}

Pipeline::~Pipeline() = default;

Encoder& Pipeline::encoder() const { return present(encoder_, "encoder"); }
Backbone& Pipeline::backbone() const { return present(backbone_, "backbone"); }
Denoiser& Pipeline::denoiser() const { return present(denoiser_, "denoiser"); }
Sampler& Pipeline::sampler() const { return present(sampler_, "sampler"); }
Decoder& Pipeline::decoder() const { return present(decoder_, "decoder"); }

Component* Pipeline::part(std::string_view role) const {
  if (role == "encoder") return encoder_.get();
  if (role == "backbone") return backbone_.get();
  if (role == "denoiser") return denoiser_.get();
  if (role == "sampler") return sampler_.get();
  if (role == "decoder") return decoder_.get();
  return nullptr;
}

std::vector<NamedTensor> Pipeline::saved_tensors(std::string_view role) {
  std::vector<NamedTensor> result;
  if (const Component* component = part(role)) {
    for (const auto& tensors : {component->weights(), component->state()}) {
      result.insert(result.end(), tensors.begin(), tensors.end());
    }
  }
  if (role == "denoiser") {
    result.push_back({"feature_scale.mean", feature_scale_.mean});
    result.push_back({"feature_scale.deviation", feature_scale_.deviation});
  }
  return result;
}

std::unique_ptr<Session> Pipeline::read_prompts(const std::vector<std::string>& prompts) {
  std::vector<std::vector<std::int64_t>> rows;
  rows.reserve(prompts.size());
  for (const std::string& prompt : prompts) {
    rows.push_back(
        frame_text(*tokenizer_, prompt.empty() ? prompt : fill_template(recipe_.prompt_template, "{prompt}", prompt)));
  }
  const TextBatch text = pad_texts(rows, device_);
  auto session = backbone().begin(static_cast<std::int64_t>(prompts.size()));
  session->append({.embeds = backbone().embed(text.ids), .valid = text.valid});
  return session;
}

std::unique_ptr<Session> Pipeline::see(const Visual& features) {
  Tensor embeds = backbone().embed_visual(features);
  auto session = backbone().begin(embeds.size(0));
  const Tensor together = at::zeros({embeds.size(1)}, at::TensorOptions(at::kLong).device(device_));
  session->append({.embeds = std::move(embeds), .group = together});
  return session;
}

std::string Pipeline::missing_for(Ability ability) const {
  const auto lacking = [](const char* role) { return fmt::format("the recipe names no {}", role); };
  if (!encoder_) return lacking("encoder");
  switch (ability) {
    case Ability::classify: {
      const auto provides = recipe_.pipeline.encoder->entry.component->provides;
      const bool aligned = std::any_of(provides.begin(), provides.end(),
                                       [](const char* name) { return std::string_view(name) == "text_embedding"; });
      if (!aligned) return fmt::format("encoder `{}` provides no text_embedding", recipe_.pipeline.encoder->name);
      break;
    }
    case Ability::answer:
      if (!backbone_) return lacking("backbone");
      break;
    case Ability::generate:
      if (!backbone_) return lacking("backbone");
      if (!denoiser_) return lacking("denoiser");
      if (!sampler_) return lacking("sampler");
      if (!decoder_) return lacking("decoder");
      break;
    case Ability::reconstruct:
      if (!decoder_) return lacking("decoder");
      break;
  }
  return {};
}

void Pipeline::require(Ability ability) const {
  const std::string missing = missing_for(ability);
  if (!missing.empty()) throw Error(Fault::usage, fmt::format("recipe `{}` cannot do this: {}", recipe_.name, missing));
}

Tensor Pipeline::classify(const Tensor& images, const std::vector<std::string>& captions) {
  require(Ability::classify);
  const at::NoGradGuard no_grad;
  std::vector<std::vector<std::int64_t>> rows;
  rows.reserve(captions.size());
  for (const std::string& caption : captions) rows.push_back(frame_text(*tokenizer_, caption));
  const Tensor texts = encoder().embed_text(pad_texts(rows, device_));
  std::vector<Tensor> similarities;
  for (const Tensor& batch : images.split(inference_batch)) {
    const Tensor embedded = encoder().embed_image(encoder().encode(batch.to(device_)));
    similarities.push_back(at::matmul(embedded, texts.t()).to(at::kCPU));
  }
  return at::cat(similarities);
}

std::vector<std::string> Pipeline::answer(const Tensor& images, const std::vector<std::string>& questions) {
  require(Ability::answer);
  if (images.size(0) != static_cast<std::int64_t>(questions.size())) {
    throw Error(Fault::usage, fmt::format("{} images, but {} questions", images.size(0), questions.size()));
  }
  const at::NoGradGuard no_grad;
  std::vector<std::string> answers;
  for (std::size_t first = 0; first < questions.size(); first += inference_batch) {
    const std::size_t last = std::min(questions.size(), first + inference_batch);
    const Tensor seen = images.slice(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(last));
    for (std::string& text : answer_batch(seen, slice_of(questions, first, last))) answers.push_back(std::move(text));
  }
  return answers;
}

std::vector<std::string> Pipeline::answer_batch(const Tensor& images, const std::vector<std::string>& questions) {
  const auto session = see(encoder().encode(images.to(device_)));
  std::vector<std::vector<std::int64_t>> rows;
  rows.reserve(questions.size());
  for (const std::string& question : questions) {
    rows.push_back(frame_text(*tokenizer_, fill_template(recipe_.question_template, "{question}", question)));
  }
  const TextBatch text = pad_texts(rows, device_);
  const Tensor hidden = session->append({.embeds = backbone().embed(text.ids), .valid = text.valid});
  const Tensor last = text.valid.sum(1, /*keepdim=*/true) - 1;
  Tensor state = hidden.gather(1, last.unsqueeze(-1).expand({-1, -1, hidden.size(2)}));

  std::vector<std::vector<std::int64_t>> words(questions.size());
  std::vector<bool> finished(questions.size(), false);
  for (std::int64_t step = 0; step < longest_answer; ++step) {
    const Tensor next = backbone().logits(state).argmax(-1);  // [B,1]
    const Tensor ids = next.to(at::kCPU).contiguous();
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::int64_t id = ids.data_ptr<std::int64_t>()[i];
      if (id == tokenizer_->frame().end) finished[i] = true;
      if (!finished[i]) words[i].push_back(id);
    }
    if (std::all_of(finished.begin(), finished.end(), [](bool done) { return done; })) break;
    if (step + 1 < longest_answer) state = session->append({.embeds = backbone().embed(next)});
  }
  std::vector<std::string> answers;
  answers.reserve(words.size());
  for (const auto& ids : words) answers.push_back(tokenizer_->decode(ids));
  return answers;
}

Tensor Pipeline::generate(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds,
                          const std::function<void(std::int64_t, std::int64_t)>& report) {
  require(Ability::generate);
  if (prompts.size() != seeds.size()) {
    throw Error(Fault::usage, fmt::format("{} prompts, but {} seeds", prompts.size(), seeds.size()));
  }
  const at::NoGradGuard no_grad;
  std::vector<Tensor> images;
  for (std::size_t first = 0; first < prompts.size(); first += inference_batch) {
    const std::size_t last = std::min(prompts.size(), first + inference_batch);
    images.push_back(generate_batch(slice_of(prompts, first, last), slice_of(seeds, first, last)));
    if (report) report(static_cast<std::int64_t>(last), static_cast<std::int64_t>(prompts.size()));
  }
  return at::cat(images);
}

Tensor Pipeline::generate_batch(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds) {
  const auto context = read_prompts(prompts);
  std::vector<Condition> conditions{denoiser().prepare(*context)};
  std::unique_ptr<Session> empty;  // must outlive its condition
  if (sampler().condition_dropout() > 0) {
    empty = read_prompts(std::vector<std::string>(prompts.size()));
    conditions.push_back(denoiser().prepare(*empty));
  }
  Generator noise(seeds);
  Visual made = sampler().sample(denoiser(), encoder().layout(), conditions, noise,
                                 [](std::int64_t, std::int64_t) { stop_if_interrupted(); });
  if (!made.codes.defined()) made.x = made.x * feature_scale_.deviation + feature_scale_.mean;
  std::vector<std::uint64_t> decoder_seeds;
  decoder_seeds.reserve(seeds.size());
  for (const std::uint64_t seed : seeds) decoder_seeds.push_back(derive_seed(seed, "decoder"));
  Generator decoder_noise(decoder_seeds);
  return decoder().decode(made, decoder_noise).to(at::kCPU, at::kFloat);
}

Tensor Pipeline::reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) {
  require(Ability::reconstruct);
  const at::NoGradGuard no_grad;
  std::vector<Tensor> results;
  for (std::int64_t first = 0; first < images.size(0); first += inference_batch) {
    const std::int64_t last = std::min(images.size(0), first + inference_batch);
    Generator noise(std::vector<std::uint64_t>(seeds.begin() + first, seeds.begin() + last));
    const Visual features = encoder().encode(images.slice(0, first, last).to(device_));
    results.push_back(decoder().decode(features, noise).to(at::kCPU, at::kFloat));
  }
  return at::cat(results);
}

}  // namespace blip3u
