#include "pipeline/pipeline.h"

#include <algorithm>

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "io/interrupt.h"
#include "model/messages.h"
#include "model/responder.h"
#include "pipeline/create.h"
#include "pipeline/host.h"
#include "pipeline/texts.h"
#include "recipe/check.h"

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

/// Ctrl-C is heard between the steps of samplers and decoders.
bool go_on(const Step&) { return !interrupted(); }

/// Runs what may be cancelled by go_on.
template <class Work>
auto interruptible(const Work& work) {
  try {
    return work();
  } catch (const Cancelled&) {
    stop_if_interrupted();
    throw;
  }
}

/// The events of a batch whose first request is the `first` of all.
Events shifted(const Events& events, std::size_t first) {
  Events result;
  if (events.text) {
    result.text = [&, first](std::size_t i, std::string_view piece) { events.text(first + i, piece); };
  }
  if (events.preview) {
    result.preview = [&, first](std::size_t i, std::int64_t step, std::int64_t steps, const Tensor& image) {
      events.preview(first + i, step, steps, image);
    };
  }
  if (events.finished) {
    result.finished = [&, first](std::size_t i, const Reply& reply) { events.finished(first + i, reply); };
  }
  if (events.cancelled) result.cancelled = [&, first](std::size_t i) { return events.cancelled(first + i); };
  return result;
}

}  // namespace

Pipeline::Pipeline(const Recipe& recipe, std::unique_ptr<Tokenizer> tokenizer, at::Device device)
    : recipe_(recipe), device_(device), tokenizer_(std::move(tokenizer)) {
  BuildContext context{.wiring = recipe.wiring, .device = device, .vocabulary = tokenizer_->vocabulary()};
  const auto build = [&]<class Contract>(const std::optional<ComponentChoice>& choice,
                                         std::unique_ptr<Contract>& part) {
    if (!choice) return;
    context.seed = derive_seed(derive_seed(recipe.seed, "initial weights"), kind_name(choice->kind));
    hosts_.push_back(make_host(*choice));
    context.host = hosts_.back().get();
    part = create_component<Contract>(choice->entry, choice->name, choice->parameters, context);
  };
  build(recipe.pipeline.encoder, encoder_);
  build(recipe.pipeline.backbone, backbone_);
  build(recipe.pipeline.denoiser, denoiser_);
  build(recipe.pipeline.sampler, sampler_);
  build(recipe.pipeline.solver, solver_);
  build(recipe.pipeline.guidance, guidance_);
  build(recipe.pipeline.decoder, decoder_);
  const std::int64_t width = recipe.wiring.features.width;
  feature_scale_ = {at::zeros({width}, device), at::ones({width}, device)};
}

Pipeline::~Pipeline() = default;

Encoder& Pipeline::encoder() const { return present(encoder_, "encoder"); }
Backbone& Pipeline::backbone() const { return present(backbone_, "backbone"); }
Denoiser& Pipeline::denoiser() const { return present(denoiser_, "denoiser"); }
Sampler& Pipeline::sampler() const { return present(sampler_, "sampler"); }
Sampler& Pipeline::solver() const { return solver_ ? *solver_ : sampler(); }
Decoder& Pipeline::decoder() const { return present(decoder_, "decoder"); }

Component* Pipeline::part(std::string_view role) const {
  if (role == "encoder") return encoder_.get();
  if (role == "backbone") return backbone_.get();
  if (role == "denoiser") return denoiser_.get();
  if (role == "sampler") return sampler_.get();
  if (role == "solver") return solver_.get();
  if (role == "guidance") return guidance_.get();
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
  if (role == "generation") {
    result.push_back({"feature_scale.mean", feature_scale_.mean});
    result.push_back({"feature_scale.deviation", feature_scale_.deviation});
  }
  return result;
}

/// The first of these parts whose weights are still the drawn ones after every stage of the recipe; "" if there is
/// none.
std::string Pipeline::untrained(std::initializer_list<std::string_view> roles) const {
  for (const PipelineRole& each : pipeline_roles) {
    const std::string_view role = each.name;
    if (std::ranges::find(roles, role) == roles.end()) continue;
    const auto& choice = recipe_.pipeline.*each.choice;
    const Component* const component = part(role);
    if (!component || component->weights().empty() || (choice && choice->weights)) continue;
    const bool trained = std::any_of(recipe_.stages.begin(), recipe_.stages.end(), [&](const Stage& stage) {
      return std::find(stage.train.begin(), stage.train.end(), role) != stage.train.end();
    });
    if (trained) continue;
    return fmt::format("the weights of {} `{}` are random: no stage trains it; add one, or give it `weights`", role,
                       choice->name);
  }
  return {};
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
      return untrained({"encoder"});
    }
    case Ability::answer:
      if (!backbone_) return lacking("backbone");
      return untrained({"encoder", "backbone"});
    case Ability::generate:
      if (!backbone_) return lacking("backbone");
      if (!denoiser_) return lacking("denoiser");
      if (!sampler_) return lacking("sampler");
      if (!decoder_) return lacking("decoder");
      return untrained({"backbone", "denoiser", "sampler", "decoder"});
    case Ability::reconstruct:
      if (!decoder_) return lacking("decoder");
      return untrained({"encoder", "decoder"});
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

std::vector<Reply> Pipeline::respond(std::span<const Request> requests, const Events& events) {
  for (const Request& request : requests) require(request.want == Want::text ? Ability::answer : Ability::generate);
  std::vector<Reply> replies;
  for (std::size_t first = 0; first < requests.size(); first += inference_batch) {
    const auto batch = requests.subspan(first, std::min<std::size_t>(inference_batch, requests.size() - first));
    for (Reply& reply : blip3u::respond(*this, batch, shifted(events, first))) replies.push_back(std::move(reply));
  }
  return replies;
}

std::vector<std::string> Pipeline::answer(const Tensor& images, const std::vector<std::string>& questions) {
  require(Ability::answer);
  if (images.size(0) != static_cast<std::int64_t>(questions.size())) {
    throw Error(Fault::usage, fmt::format("{} images, but {} questions", images.size(0), questions.size()));
  }
  std::vector<Request> requests;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    requests.push_back({.messages = question_messages(recipe_, questions[i], ""),
                        .images = {images[static_cast<std::int64_t>(i)]},
                        .text = {.longest = longest_answer}});
  }
  std::vector<std::string> answers;
  for (const Reply& reply : respond(requests, {})) {
    const auto& content = reply.message.content;
    answers.push_back(content.empty() ? std::string() : content.front().text);
  }
  return answers;
}

Tensor Pipeline::generate(const std::vector<std::string>& prompts, const std::vector<std::uint64_t>& seeds,
                          const std::function<void(std::int64_t, std::int64_t)>& report) {
  require(Ability::generate);
  if (prompts.size() != seeds.size()) {
    throw Error(Fault::usage, fmt::format("{} prompts, but {} seeds", prompts.size(), seeds.size()));
  }
  std::vector<Request> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    requests.push_back(
        {.messages = {prompt_messages(recipe_, prompts[i]).front()}, .want = Want::image, .seed = seeds[i]});
  }
  std::int64_t done = 0;
  Events events;
  events.finished = [&](std::size_t, const Reply&) {
    if (report) report(++done, static_cast<std::int64_t>(requests.size()));
  };
  std::vector<Tensor> images;
  for (const Reply& reply : respond(requests, events)) images.push_back(reply.images.front());
  return at::stack(images);
}

std::vector<Context> Pipeline::contexts() const {
  return guidance_ ? guidance_->contexts() : std::vector<Context>{Context::whole};
}

Visual Pipeline::paint(Session& session, const std::vector<Context>& contexts, const std::vector<std::uint64_t>& seeds,
                       const Watch& watch) {
  const auto rows = std::ssize(seeds), count = std::ssize(contexts);
  const std::vector<double> times = solver().times();
  auto condition = denoiser().prepare({.context = session, .times = times});
  if (auto* const nulls = dynamic_cast<Nulls*>(&denoiser())) {
    Tensor empty = at::zeros({count, rows}, at::kBool);
    for (std::int64_t i = 0; i < count; ++i) empty[i].fill_(contexts[static_cast<std::size_t>(i)] == Context::nothing);
    condition = nulls->null(*condition, empty.flatten().to(device_));
  }
  Generator noise(seeds);
  const Layout layout = encoder().layout();
  return unscaled(solver()
                      .sample({.denoiser = denoiser(),
                               .layout = layout,
                               .condition = *condition,
                               .noise = noise,
                               .rows = rows,
                               .contexts = count,
                               .guidance = guidance_.get(),
                               .watch = watch})
                      .visual);
}

Visual Pipeline::unscaled(Visual made) const {
  if (!made.codes.defined()) made.x = made.x * feature_scale_.deviation + feature_scale_.mean;
  return made;
}

Tensor Pipeline::decode(const Visual& made, const std::vector<std::uint64_t>& seeds, const Watch& watch) {
  std::vector<std::uint64_t> decoder_seeds;
  decoder_seeds.reserve(seeds.size());
  for (const std::uint64_t seed : seeds) decoder_seeds.push_back(derive_seed(seed, "decoder"));
  Generator noise(decoder_seeds);
  return decoder().decode({.visual = made, .noise = noise, .watch = watch}).to(at::kCPU);
}

Tensor Pipeline::reconstruct(const Tensor& images, const std::vector<std::uint64_t>& seeds) {
  require(Ability::reconstruct);
  if (images.size(0) != static_cast<std::int64_t>(seeds.size())) {
    throw Error(Fault::usage, fmt::format("{} images, but {} seeds", images.size(0), seeds.size()));
  }
  const at::NoGradGuard no_grad;
  std::vector<Tensor> results;
  for (std::int64_t first = 0; first < images.size(0); first += inference_batch) {
    const std::int64_t last = std::min(images.size(0), first + inference_batch);
    Generator noise(std::vector<std::uint64_t>(seeds.begin() + first, seeds.begin() + last));
    const Visual features = encoder().encode(images.slice(0, first, last).to(device_));
    results.push_back(interruptible([&] {
                        return decoder().decode({.visual = features, .noise = noise, .watch = go_on});
                      }).to(at::kCPU));
  }
  return at::cat(results);
}

}  // namespace blip3u
