#include "pipeline/pipeline.h"

#include <algorithm>
#include <utility>

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

namespace blip3u {

namespace {

template <class T>
T& present(T* part, const char* kind) {
  if (part == nullptr) throw Error(Fault::usage, fmt::format("this pipeline has no {}; name one in the recipe", kind));
  return *part;
}

/// The encoder that shares a space with texts; else the first, which then is to blame; "" if there is none.
std::string embedder_of(const PipelineChoices& choices) {
  const std::vector<std::string> encoders = choices.encoders();
  for (const std::string& role : encoders) {
    if (choices.parts.at(role).provides("text_embedding")) return role;
  }
  return encoders.empty() ? std::string() : encoders.front();
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

Pipeline::Parts Pipeline::parts_for(const PipelineChoices& choices, Ability ability) {
  const auto or_missing = [](const std::string& role, const char* kind) { return role.empty() ? kind : role; };
  if (ability == Ability::classify) return {or_missing(embedder_of(choices), "encoder")};
  if (ability == Ability::reconstruct) return {or_missing(choices.decoded(), "encoder"), "decoder"};
  Parts parts(choices.understanding.begin(), choices.understanding.end());
  parts.insert("backbone");
  if (ability != Ability::generate && ability != Ability::converse) {
    if (choices.understanding.empty()) parts.insert("encoder");
    return parts;
  }
  for (const LinkChoice& link : choices.generation.empty() ? std::vector<LinkChoice>(1) : choices.generation) {
    parts.insert(or_missing(link.target, "encoder"));
    parts.insert(or_missing(link.denoiser, "denoiser"));
    parts.insert(or_missing(link.sampler, "sampler"));
    if (!link.solver.empty()) parts.insert(link.solver);
    if (!link.guidance.empty()) parts.insert(link.guidance);
  }
  parts.insert("decoder");
  return parts;
}

Pipeline::Pipeline(const Recipe& recipe, std::shared_ptr<Tokenizer> tokenizer, at::Device device,
                   const std::optional<Parts>& parts)
    : recipe_(recipe), device_(device), tokenizer_(std::move(tokenizer)) {
  const PipelineChoices& choices = recipe_.pipeline;
  Peers peers{.tokenizer = tokenizer_.get()};
  for (const std::string& role : choices.encoders()) build<Encoder>(role, parts, peers);
  for (const std::string& role : choices.understanding) {
    if (auto* const encoder = dynamic_cast<Encoder*>(part(role))) peers.reads.push_back(encoder);
  }
  build<Backbone>("backbone", parts, peers);
  peers.backbone = dynamic_cast<Backbone*>(part("backbone"));
  for (const LinkChoice& choice : choices.generation) {
    Link& link = links_.emplace_back();
    link.target = peers.makes = dynamic_cast<Encoder*>(part(choice.target));
    build<Denoiser>(choice.denoiser, parts, peers);
    build<Sampler>(choice.sampler, parts, peers);
    build<Sampler>(choice.solver, parts, peers);
    build<Guidance>(choice.guidance, parts, peers);
    link.denoiser = dynamic_cast<Denoiser*>(part(choice.denoiser));
    link.sampler = dynamic_cast<Sampler*>(part(choice.sampler));
    link.solver = choice.solver.empty() ? link.sampler : dynamic_cast<Sampler*>(part(choice.solver));
    link.guidance = dynamic_cast<Guidance*>(part(choice.guidance));
    link.source = choices.source_of(choice.target);
    const ComponentChoice* const target = choices.find(choice.target);
    const std::int64_t width = target ? target->wiring.features.width : 0;
    link.scale = {at::zeros({width}, device), at::ones({width}, device)};
  }
  peers.makes = dynamic_cast<Encoder*>(part(choices.decoded()));
  build<Decoder>("decoder", parts, peers);
}

Pipeline::~Pipeline() {
  while (!parts_.empty()) parts_.pop_back();  // none outlives what it was given as a peer
}

template <class Contract>
void Pipeline::build(const std::string& role, const std::optional<Parts>& parts, const Peers& peers) {
  const ComponentChoice* const choice = recipe_.pipeline.find(role);
  if (!choice || (parts && !parts->contains(role))) return;
  hosts_.push_back(make_host(*choice));
  parts_.emplace_back(
      role, create_component<Contract>(choice->entry, choice->name, choice->parameters,
                                       {.wiring = choice->wiring,
                                        .host = hosts_.back().get(),
                                        .peers = peers,
                                        .device = device_,
                                        .vocabulary = tokenizer_->vocabulary(),
                                        .seed = derive_seed(derive_seed(recipe_.seed, "initial weights"), role)}));
}

Component* Pipeline::part(std::string_view role) const {
  const auto found = std::ranges::find(parts_, role, [](const auto& part) -> std::string_view { return part.first; });
  return found == parts_.end() ? nullptr : found->second.get();
}

Encoder& Pipeline::encoder() const {
  const auto& read = recipe_.pipeline.understanding;
  return present(dynamic_cast<Encoder*>(part(read.empty() ? "" : read.front())), "encoder");
}
Encoder& Pipeline::decoded() const {
  return present(dynamic_cast<Encoder*>(part(recipe_.pipeline.decoded())), "encoder");
}
Backbone& Pipeline::backbone() const { return present(dynamic_cast<Backbone*>(part("backbone")), "backbone"); }
Decoder& Pipeline::decoder() const { return present(dynamic_cast<Decoder*>(part("decoder")), "decoder"); }

/// The first of these parts of which a weight is still the drawn one after every stage of the recipe; "" if there is
/// none.
std::string Pipeline::untrained(const Parts& roles) const {
  for (const std::string& role : recipe_.pipeline.roles()) {
    if (!roles.contains(role)) continue;
    const ComponentChoice& choice = recipe_.pipeline.parts.at(role);
    const Component* const component = part(role);
    if (!component || choice.weights) continue;
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
                           choice.name);
      }
      return fmt::format(
          "the weight {} of {} `{}` is random: no stage trains it; widen a pattern of `train`, or give "
          "the part `weights`",
          weight.name, role, choice.name);
    }
  }
  return {};
}

std::string Pipeline::missing_for(Ability ability) const {
  const PipelineChoices& choices = recipe_.pipeline;
  Parts needed = parts_for(choices, ability);
  for (const char* kind : {"encoder", "backbone", "denoiser", "sampler", "decoder"}) {
    if (needed.contains(kind) && !choices.find(kind)) return fmt::format("the recipe names no {}", kind);
  }
  if (ability == Ability::classify) {
    const ComponentChoice& encoder = choices.parts.at(embedder_of(choices));
    if (!encoder.provides("text_embedding"))
      return fmt::format("encoder `{}` provides no text_embedding", encoder.name);
  }
  if (ability == Ability::converse && tokenizer_->id_of("image") < 0) {
    return "its tokenizer announces no pictures, so the model cannot choose between text and picture";
  }
  if (ability == Ability::generate ||
      ability == Ability::converse) {  // the features of targets are there to be made, trained or not
    for (const LinkChoice& link : choices.generation) needed.erase(link.target);
  }
  return untrained(needed);
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
  for (const Tensor& batch : images.split(recipe_.inference_batch)) {
    embedded.push_back(embedder().embed_image(embedder().encode(batch.to(device_))).to(at::kCPU));
  }
  return at::cat(embedded);
}

Tensor Pipeline::embed_texts(const std::vector<std::string>& texts) {
  require(Ability::classify);
  const at::NoGradGuard no_grad;
  std::vector<std::vector<std::int64_t>> rows;
  rows.reserve(texts.size());
  for (const std::string& text : texts) rows.push_back(frame_text(*tokenizer_, text));
  return embedder().embed_text(pad_texts(rows, device_)).to(at::kCPU);
}

Encoder& Pipeline::embedder() const {
  return present(dynamic_cast<Encoder*>(part(embedder_of(recipe_.pipeline))), "encoder");
}

std::vector<Reply> Pipeline::respond(std::span<const Request> requests, const Events& events) {
  for (const Request& request : requests) require(request.want == Want::text ? Ability::answer : Ability::generate);
  std::vector<Reply> replies;
  for (std::size_t first = 0; first < requests.size(); first += recipe_.inference_batch) {
    const auto batch = requests.subspan(first, std::min<std::size_t>(recipe_.inference_batch, requests.size() - first));
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
  for (std::size_t first = 0; first < requests.size(); first += recipe_.inference_batch) {
    stop_if_interrupted();
    const std::size_t count = std::min<std::size_t>(recipe_.inference_batch, requests.size() - first);
    const auto values =
        blip3u::log_likelihood(*this, requests.subspan(first, count), std::span(replies).subspan(first, count));
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
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
  for (std::int64_t first = 0; first < images.size(0); first += recipe_.inference_batch) {
    const std::int64_t last = std::min(images.size(0), first + recipe_.inference_batch);
    Generator noise(std::vector<std::uint64_t>(seeds.begin() + first, seeds.begin() + last));
    const Visual features = decoded().encode(images.slice(0, first, last).to(device_));
    results.push_back(interruptible([&] {
                        return decoder().decode({.visual = features, .noise = noise, .watch = go_on});
                      }).to(at::kCPU));
  }
  return at::cat(results);
}

}  // namespace blip3u
