#include "pipeline/pipeline.h"

#include <algorithm>

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "io/interrupt.h"
#include "model/likelihood.h"
#include "model/responder.h"
#include "pipeline/create.h"
#include "pipeline/host.h"
#include "pipeline/texts.h"
#include "recipe/check.h"

namespace blip3u {

namespace {

constexpr std::int64_t inference_batch = 64;

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

Pipeline::Parts Pipeline::parts_for(Ability ability) {
  switch (ability) {
    case Ability::classify: return {"encoder"};
    case Ability::answer:
    case Ability::choose: return {"encoder", "backbone"};
    case Ability::generate: return {"encoder", "backbone", "denoiser", "sampler", "solver", "guidance", "decoder"};
    case Ability::reconstruct: return {"encoder", "decoder"};
  }
  return {};
}

Pipeline::Pipeline(const Recipe& recipe, std::unique_ptr<Tokenizer> tokenizer, at::Device device,
                   const std::optional<Parts>& parts)
    : recipe_(recipe), device_(device), tokenizer_(std::move(tokenizer)) {
  BuildContext context{.wiring = recipe.wiring,
                       .peers = {.tokenizer = tokenizer_.get()},
                       .device = device,
                       .vocabulary = tokenizer_->vocabulary()};
  const auto build = [&]<class Contract>(const std::optional<ComponentChoice>& choice, const char* role,
                                         std::unique_ptr<Contract>& part) {
    if (!choice || (parts && !parts->contains(role))) return;
    context.seed = derive_seed(derive_seed(recipe.seed, "initial weights"), kind_name(choice->kind));
    hosts_.push_back(make_host(*choice));
    context.host = hosts_.back().get();
    part = create_component<Contract>(choice->entry, choice->name, choice->parameters, context);
  };
  build(recipe.pipeline.encoder, "encoder", encoder_);
  if (encoder_) context.peers.reads = {encoder_.get()};
  context.peers.makes = encoder_.get();
  build(recipe.pipeline.backbone, "backbone", backbone_);
  context.peers.backbone = backbone_.get();
  build(recipe.pipeline.denoiser, "denoiser", denoiser_);
  build(recipe.pipeline.sampler, "sampler", sampler_);
  build(recipe.pipeline.solver, "solver", solver_);
  build(recipe.pipeline.guidance, "guidance", guidance_);
  build(recipe.pipeline.decoder, "decoder", decoder_);
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

/// The first of these parts of which a weight is still the drawn one after every stage of the recipe; "" if there is
/// none.
std::string Pipeline::untrained(const Parts& roles) const {
  for (const PipelineRole& each : pipeline_roles) {
    const std::string_view role = each.name;
    if (!roles.contains(role)) continue;
    const auto& choice = recipe_.pipeline.*each.choice;
    const Component* const component = part(role);
    if (!component || (choice && choice->weights)) continue;
    std::vector<TrainedPart> trained;
    for (const Stage& stage : recipe_.stages) {
      for (TrainedPart& part : trained_parts(stage)) {
        if (part.role == role) trained.push_back(std::move(part));
      }
    }
    for (const NamedTensor& weight : component->weights()) {
      if (std::ranges::any_of(trained, [&](const TrainedPart& part) { return part.holds(weight.name); })) continue;
      if (trained.empty()) {
        return fmt::format("the weights of {} `{}` are random: no stage trains it; add one, or give it `weights`", role,
                           choice->name);
      }
      return fmt::format(
          "the weight {} of {} `{}` is random: no stage trains it; widen a pattern of `train`, or give "
          "the part `weights`",
          weight.name, role, choice->name);
    }
  }
  return {};
}

std::string Pipeline::missing_for(Ability ability) const {
  const Parts needed = parts_for(ability);
  const auto lacks = [&](const PipelineRole& role) {
    const bool optional = role.kind == Kind::guidance || std::string_view(role.name) == "solver";
    return !optional && needed.contains(role.name) && !(recipe_.pipeline.*role.choice);
  };
  const auto* const lacking = std::ranges::find_if(pipeline_roles, lacks);
  if (lacking != std::end(pipeline_roles)) return fmt::format("the recipe names no {}", lacking->name);
  if (ability == Ability::classify) {
    const auto provides = recipe_.pipeline.encoder->entry.component->provides;
    if (std::ranges::none_of(provides, [](const char* name) { return std::string_view(name) == "text_embedding"; })) {
      return fmt::format("encoder `{}` provides no text_embedding", recipe_.pipeline.encoder->name);
    }
  }
  const bool makes = ability == Ability::generate;  // its target is the encoder's features, trained or not
  return makes ? untrained({"backbone", "denoiser", "sampler", "decoder"}) : untrained(needed);
}

void Pipeline::require(Ability ability) const {
  const std::string missing = missing_for(ability);
  if (!missing.empty()) throw Error(Fault::usage, fmt::format("recipe `{}` cannot do this: {}", recipe_.name, missing));
}

Tensor Pipeline::classify(const Tensor& images, const std::vector<std::string>& captions) {
  return at::matmul(embed_images(images), embed_texts(captions).t());
}

Tensor Pipeline::embed_images(const Tensor& images) {
  require(Ability::classify);
  const at::NoGradGuard no_grad;
  std::vector<Tensor> embedded;
  for (const Tensor& batch : images.split(inference_batch)) {
    embedded.push_back(encoder().embed_image(encoder().encode(batch.to(device_))).to(at::kCPU));
  }
  return at::cat(embedded);
}

Tensor Pipeline::embed_texts(const std::vector<std::string>& texts) {
  require(Ability::classify);
  const at::NoGradGuard no_grad;
  std::vector<std::vector<std::int64_t>> rows;
  rows.reserve(texts.size());
  for (const std::string& text : texts) rows.push_back(frame_text(*tokenizer_, text));
  return encoder().embed_text(pad_texts(rows, device_)).to(at::kCPU);
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

std::vector<double> Pipeline::log_likelihood(std::span<const Request> requests,
                                             const std::vector<std::string>& replies) {
  require(Ability::choose);
  if (requests.size() != replies.size()) {
    throw Error(Fault::usage, fmt::format("{} requests, but {} replies", requests.size(), replies.size()));
  }
  std::vector<double> result;
  for (std::size_t first = 0; first < requests.size(); first += inference_batch) {
    stop_if_interrupted();
    const std::size_t count = std::min<std::size_t>(inference_batch, requests.size() - first);
    const auto values =
        blip3u::log_likelihood(*this, requests.subspan(first, count), std::span(replies).subspan(first, count));
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

std::vector<Context> Pipeline::contexts() const {
  return guidance_ ? guidance_->contexts() : std::vector<Context>{Context::whole};
}

Visual Pipeline::paint(Session& session, const std::vector<Context>& contexts, std::span<const Visual> sources,
                       const std::vector<std::uint64_t>& seeds, const Watch& watch) {
  const auto rows = std::ssize(seeds), count = std::ssize(contexts);
  const std::vector<double> times = solver().times();
  auto condition = denoiser().prepare({.context = session, .sources = sources, .times = times});
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

Visual Pipeline::scaled(Visual visual) const {
  if (!visual.codes.defined()) visual.x = (visual.x - feature_scale_.mean) / feature_scale_.deviation;
  return visual;
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
