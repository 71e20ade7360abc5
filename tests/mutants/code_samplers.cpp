// Samplers of codes that are wrong in one way each, and `sound`, from which they differ.
#include <torch/torch.h>

#include "blip3u/plugin.h"
#include "blip3u/sampler.h"

namespace blip3u::mutants {
namespace {

/// Draws group by group and level by level.
class Sound : public Sampler, public Objective {
 public:
  Sound(const Parameters&, const BuildContext& context) : device_(context.device) {}

  std::vector<Loss> loss(const LossTask& task) override {
    const Tensor& codes = task.target.codes;
    const Tensor time = torch::zeros({codes.size(0)}, torch::TensorOptions(device_));
    const Tensor logits =
        task.denoiser.predict({.noised = task.target, .time = time, .condition = task.condition, .noise = &task.noise});
    return {{"codes", torch::nll_loss(logits.flatten(0, 2).log_softmax(-1), codes.flatten(), {}, at::Reduction::Sum),
             torch::full({}, static_cast<double>(codes.numel()), time.options())}};
  }

  Made sample(const SampleTask& task) override {
    const auto stream = dynamic_cast<Streams&>(task.denoiser).stream(task.condition);
    const std::int64_t depth = task.layout.depth;
    const auto groups = task.layout.groups.empty() ? std::vector{task.layout.tokens} : task.layout.groups;
    const std::int64_t total = static_cast<std::int64_t>(groups.size()) * depth;
    std::vector<Tensor> made, levels;
    for (std::int64_t step = 0; !stream->done(); ++step) {
      const Tensor scores = guided(task, *stream);
      const Tensor uniform = task.noise.uniform(scores.sizes().slice(1), device_).clamp(1e-6, 1 - 1e-6);
      const Tensor chosen = (scores - (-uniform.log()).log()).argmax(-1);  // Gumbel's trick
      push_to_all(task, *stream, chosen);
      levels.push_back(chosen);
      if (std::ssize(levels) == depth) {
        made.push_back(torch::stack(levels, 2));
        levels.clear();
      }
      report(task.watch, {.done = step + 1, .total = total});
    }
    return {.visual = {{}, finished(torch::cat(made, 1))}};
  }

 protected:
  virtual Tensor guided(const SampleTask& task, Stream& stream) { return guided_scores(task, stream); }
  virtual Tensor finished(Tensor codes) { return codes; }

 private:
  at::Device device_;
};

class Unguided : public Sound {
  using Sound::Sound;
  Tensor guided(const SampleTask& task, Stream& stream) override { return stream.scores().slice(0, 0, task.rows); }
};

class LeavesMasks : public Sound {
  using Sound::Sound;
  Tensor finished(Tensor codes) override {
    codes.select(1, -1).fill_(-1);
    return codes;
  }
};

class DetachesLogits : public Sound {
  using Sound::Sound;
  std::vector<Loss> loss(const LossTask& task) override {
    auto losses = Sound::loss(task);
    losses.front().sum = losses.front().sum.detach();
    return losses;
  }
};

constexpr const char* provides[] = {"sample"};
constexpr const char* needs[] = {"stream"};
constexpr const char* losses[] = {"codes"};

template <class T>
constexpr ComponentDescriptor sampler(const char* name, const char* summary) {
  return {.kind = Kind::sampler,
          .name = name,
          .summary = summary,
          .provides = provides,
          .needs = needs,
          .losses = losses,
          .check =
              [](const Parameters&, Wiring& wiring) {
                if (wiring.features.codebook == 0) wiring.reject("", "it makes codes; choose an encoder with codes");
                if (wiring.objective.empty()) wiring.objective = "code/none";
              },
          .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    sampler<Sound>("sound", "Nothing is wrong with it."),
    sampler<Unguided>("unguided", "Draws from the first context's logits."),
    sampler<LeavesMasks>("leaves_masks", "Leaves the last place masked."),
    sampler<DetachesLogits>("detaches_logits", "No gradient comes out of its loss."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_code_samplers", "0.1.0", "Apache-2.0", blip3u::mutants::components)
