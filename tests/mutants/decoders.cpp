// Decoders that are wrong in one way each, and `sound`, from which they differ.
#include <torch/torch.h>

#include <fmt/format.h>

#include "blip3u/decoder.h"
#include "blip3u/module_component.h"
#include "layers/grid_checks.h"
#include "layers/loss.h"
#include "layers/patches.h"

namespace blip3u::mutants {
namespace {

/// One Linear that makes a patch of each token.
class Sound : public ModuleComponent<Decoder> {
 public:
  Sound(const Parameters&, const BuildContext& context)
      : features_(context.wiring.features),
        patch_(layers::patch_side(context.wiring.image_size, features_.tokens)),
        projection_(register_module("projection", torch::nn::Linear(features_.width, 3 * patch_ * patch_))) {
    finish(context);
  }

  Tensor decode(const DecodeTask& task) override { return pixels(task.visual).clamp(-1, 1); }

  std::vector<Loss> loss(const DecoderBatch& batch) override {
    return {layers::squared_error("reconstruction", pixels(batch.visual), batch.images)};
  }

 protected:
  virtual Tensor pixels(const Visual& visual) {
    if (!visual.x.defined() || visual.x.dim() != 3 || visual.x.size(1) != features_.tokens ||
        visual.x.size(2) != features_.width) {
      throw Error(Fault::plugin, fmt::format("decoder: features must be [B,{},{}]; use the encoder it was built for",
                                             features_.tokens, features_.width));
    }
    return layers::unpatchify(projection_(visual.x), patch_);
  }

 private:
  Layout features_;
  std::int64_t patch_;
  torch::nn::Linear projection_;
};

class Bytes : public Sound {
  using Sound::Sound;
  Tensor decode(const DecodeTask& task) override { return (Sound::decode(task) + 1) * 127.5; }
};

class HalfSize : public Sound {
  using Sound::Sound;
  Tensor decode(const DecodeTask& task) override { return torch::avg_pool2d(Sound::decode(task), 2); }
};

/// Dims an image by the contrast of all images of its batch.
class BatchContrast : public Sound {
  using Sound::Sound;
  Tensor decode(const DecodeTask& task) override {
    const Tensor images = Sound::decode(task);
    return images * images.abs().mean();
  }
};

class AltersFeatures : public Sound {
  using Sound::Sound;
  Tensor decode(const DecodeTask& task) override {
    const torch::NoGradGuard no_gradient;
    Tensor features = task.visual.x;
    features.clamp_(-0.5, 0.5);
    return Sound::decode(task);
  }
};

/// As if its loss were the sum over half an element.
class SmallCount : public Sound {
  using Sound::Sound;
  std::vector<Loss> loss(const DecoderBatch& batch) override {
    auto result = Sound::loss(batch);
    result.front().count = torch::full_like(result.front().count, 0.5);
    return result;
  }
};

/// Takes steps, after each of which it tells the watch.
class Stepped : public Sound {
  using Sound::Sound;
  Tensor decode(const DecodeTask& task) override {
    constexpr std::int64_t steps = 4;
    Tensor images = Sound::decode(task) / steps;
    for (std::int64_t step = 1; step <= steps; ++step) tell(task.watch, {.done = step, .total = steps});
    return images;
  }
  virtual void tell(const Watch& watch, const Step& step) { report(watch, step); }
};

class IgnoresWatch : public Stepped {
  using Stepped::Stepped;
  void tell(const Watch&, const Step&) override {}
};

class GoesOn : public Stepped {
  using Stepped::Stepped;
  void tell(const Watch& watch, const Step& step) override {
    if (watch) watch(step);
  }
};

constexpr ParameterSpec parameters[] = {layers::tokens_parameter};
constexpr ParameterSpec stepped[] = {layers::tokens_parameter, integer("steps", 4, 1, 4, "steps that it takes")};
constexpr const char* provides[] = {"images"};
constexpr const char* needs[] = {"features"};
constexpr const char* losses[] = {"reconstruction"};

template <class T>
constexpr ComponentDescriptor decoder(const char* name, const char* summary,
                                      std::span<const ParameterSpec> own = parameters) {
  return {.kind = Kind::decoder,
          .name = name,
          .summary = summary,
          .provides = provides,
          .needs = needs,
          .parameters = own,
          .losses = losses,
          .check = [](const Parameters& values,
                      Wiring& wiring) { layers::check_decoder(values.integer("tokens"), wiring); },
          .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    decoder<Sound>("sound", "Nothing is wrong with it."),
    decoder<Bytes>("bytes", "Gives pixels from 0 to 255."),
    decoder<HalfSize>("half_size", "Gives images of half the size."),
    decoder<BatchContrast>("batch_contrast", "Dims its images by the contrast of the whole batch."),
    decoder<AltersFeatures>("alters_features", "Clamps the features in place."),
    decoder<Stepped>("sound_in_steps", "Nothing is wrong with it.", stepped),
    decoder<IgnoresWatch>("ignores_watch", "Takes steps, but tells the watch of none.", stepped),
    decoder<GoesOn>("goes_on", "Goes on when the watch says to stop.", stepped),
    decoder<SmallCount>("small_count", "Its loss counts less than one element."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_decoders", "0.1.0", "Apache-2.0", blip3u::mutants::components)
