// Encoders that are wrong in one way each, and `sound`, from which they differ.
#include <cstdio>
#include <stdexcept>
#include <string>

#include <torch/torch.h>

#include <fmt/format.h>

#include "blip3u/encoder.h"
#include "blip3u/module_component.h"
#include "layers/grid_checks.h"
#include "layers/loss.h"
#include "layers/patches.h"

namespace blip3u::mutants {
namespace {

/// Patches through a Linear and a norm, trained to give the pixels back in spite of noise.
class Sound : public ModuleComponent<Encoder> {
 public:
  Sound(const Parameters& parameters, const BuildContext& context)
      : layout_(context.wiring.features),
        image_size_(context.wiring.image_size),
        patch_(layers::patch_side(image_size_, layout_.tokens)),
        noise_(parameters.number("noise")) {
    const std::int64_t pixels = 3 * patch_ * patch_;
    projection_ = register_module("projection", torch::nn::Linear(pixels, layout_.width));
    norm_ = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({layout_.width})));
    restoration_ = register_module("restoration", torch::nn::Linear(layout_.width, pixels));
    finish(context);
  }

  Layout layout() const override { return layout_; }

  Visual encode(const Tensor& images) override {
    check(images);
    return {features(images), {}};
  }

  std::vector<Loss> loss(const EncoderBatch& batch, Generator& generator) override {
    check(batch.images);
    const Tensor noised = batch.images + noise_ * noise(batch.images, generator);
    return {layers::squared_error("reconstruction", restoration_(features(noised)),
                                  layers::patchify(batch.images, patch_))};
  }

 protected:
  virtual Tensor features(const Tensor& images) { return norm_(project(images)); }

  virtual Tensor project(const Tensor& images) { return projection_(layers::patchify(images, patch_)); }

  virtual Tensor noise(const Tensor& images, Generator& generator) {
    return generator.normal(images.sizes().slice(1), images.device());
  }

  [[noreturn]] virtual void refuse(const std::string& message) const { throw Error(Fault::plugin, message); }

 private:
  void check(const Tensor& images) const {
    if (images.dim() == 4 && images.sizes().slice(1) == at::IntArrayRef({3, image_size_, image_size_})) return;
    refuse(fmt::format("encoder: images must be [B,3,{0},{0}]; resize them", image_size_));
  }

  Layout layout_;
  std::int64_t image_size_, patch_;
  double noise_;
  torch::nn::Linear projection_{nullptr}, restoration_{nullptr};
  torch::nn::LayerNorm norm_{nullptr};
};

/// Half a batch norm, which takes its statistics from the batch in inference too.
class BatchNorm : public Sound {
  using Sound::Sound;
  Tensor features(const Tensor& images) override {
    const Tensor x = Sound::features(images);
    return x - 0.5 * x.mean(0, /*keepdim=*/true);
  }
};

class AltersImages : public Sound {
  using Sound::Sound;
  Visual encode(const Tensor& images) override { return Sound::encode(images.clamp_(-0.5, 0.5)); }
};

/// Has one token more than its layout says, as if there were a class token.
class ClassToken : public Sound {
  using Sound::Sound;
  Visual encode(const Tensor& images) override {
    const Tensor x = Sound::encode(images).x;
    return {torch::cat({x.mean(1, /*keepdim=*/true), x}, 1), {}};
  }
};

class DoubleFeatures : public Sound {
  using Sound::Sound;
  Visual encode(const Tensor& images) override { return {Sound::encode(images).x.to(at::kDouble), {}}; }
};

class OtherDevice : public Sound {
  using Sound::Sound;
  Visual encode(const Tensor& images) override { return {Sound::encode(images).x.to(at::kMeta), {}}; }
};

class GlobalGenerator : public Sound {
  using Sound::Sound;
  Tensor noise(const Tensor& images, Generator&) override { return torch::randn_like(images); }
};

/// Forgot to register a parameter, so that it is neither trained nor saved.
class Unregistered : public Sound {
 public:
  Unregistered(const Parameters& parameters, const BuildContext& context)
      : Sound(parameters, context),
        scale_(learned_table({layout().width}, 1, context.seed, "scale").to(context.device).requires_grad_()) {}

 private:
  Tensor features(const Tensor& images) override { return Sound::features(images) * scale_; }
  Tensor scale_;
};

/// Shifts its features with every step of training, but does not list the shift.
class UnlistedState : public Sound {
  using Sound::Sound;
  void after_step(Generator&) override { shift_ += 0.1; }
  Tensor features(const Tensor& images) override { return Sound::features(images) + shift_; }
  double shift_ = 0;
};

class Detached : public Sound {
  using Sound::Sound;
  Tensor project(const Tensor& images) override { return Sound::project(images).detach(); }
};

class Prints : public Sound {
  using Sound::Sound;
  Visual encode(const Tensor& images) override {
    std::puts("encoding");
    return Sound::encode(images);
  }
};

/// Divides among all objects of the class what each should have to itself.
class SharesState : public Sound {
 public:
  SharesState(const Parameters& parameters, const BuildContext& context) : Sound(parameters, context) { ++objects; }
  ~SharesState() override { --objects; }

 private:
  static inline int objects = 0;
  Tensor features(const Tensor& images) override { return Sound::features(images) / objects; }
};

class ForeignError : public Sound {
  using Sound::Sound;
  [[noreturn]] void refuse(const std::string& message) const override { throw std::runtime_error(message); }
};

/// Takes enabled gradients for training.
class NoisyWithGradients : public Sound {
  using Sound::Sound;
  Visual encode(const Tensor& images) override {
    Visual visual = Sound::encode(images);
    if (torch::GradMode::is_enabled()) visual.x = 1.1 * visual.x;
    return visual;
  }
};

/// Hands out the same memory each time.
class ReusesMemory : public Sound {
  using Sound::Sound;
  Visual encode(const Tensor& images) override {
    Visual visual = Sound::encode(images);
    if (torch::GradMode::is_enabled()) return visual;
    if (!memory_.defined() || memory_.sizes() != visual.x.sizes()) memory_ = torch::empty_like(visual.x);
    memory_.copy_(visual.x);
    return {memory_, {}};
  }
  Tensor memory_;
};

constexpr ParameterSpec parameters[] = {
    integer("grid", 4, 1, 64, "patches along each side"),
    integer("width", 8, 2, 1024, "width of the features"),
    number("noise", 0.1, 0, 10, "deviation of the noise added to the pixels in training"),
};

void check(const Parameters& values, Wiring& wiring) {
  const std::int64_t grid = values.integer("grid");
  layers::check_grid(grid, "grid", wiring);
  wiring.features = {.tokens = grid * grid, .width = values.integer("width"), .groups = {}};
}

constexpr const char* provides[] = {"features"};
constexpr const char* losses[] = {"reconstruction"};

template <class T>
constexpr ComponentDescriptor encoder(const char* name, const char* summary) {
  return {.kind = Kind::encoder,
          .name = name,
          .summary = summary,
          .provides = provides,
          .parameters = parameters,
          .losses = losses,
          .check = check,
          .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    encoder<Sound>("sound", "Nothing is wrong with it."),
    encoder<BatchNorm>("batch_norm", "Its features depend on their neighbours in the batch."),
    encoder<AltersImages>("alters_images", "Clamps the images in place."),
    encoder<ClassToken>("class_token", "Makes one token more than its layout says."),
    encoder<DoubleFeatures>("double_features", "Makes float64 features."),
    encoder<OtherDevice>("other_device", "Leaves its features on another device."),
    encoder<GlobalGenerator>("global_generator", "Draws the noise of its loss from a global generator."),
    encoder<Unregistered>("unregistered", "One of its parameters is not among its weights."),
    encoder<UnlistedState>("unlisted_state", "What its training moves is not among its state."),
    encoder<Detached>("detached", "The gradient stops before its first layer."),
    encoder<Prints>("prints", "Prints a line for each batch."),
    encoder<SharesState>("shares_state", "Its features are divided by how many objects of its class there are."),
    encoder<NoisyWithGradients>("noisy_with_gradients", "Makes other features while gradients are enabled."),
    encoder<ReusesMemory>("reuses_memory", "Its next features overwrite the ones before."),
    encoder<ForeignError>("foreign_error", "Throws std::runtime_error for images of another size."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_encoders", "0.1.0", "Apache-2.0", blip3u::mutants::components)
