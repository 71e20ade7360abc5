// Encoders of codes with embeddings of texts that are wrong in one way each, and `sound`, from which they differ.
#include <torch/torch.h>

#include "blip3u/encoder.h"
#include "blip3u/module_component.h"
#include "layers/grid_checks.h"
#include "layers/loss.h"
#include "layers/patches.h"

namespace blip3u::mutants {
namespace {

Tensor unit(const Tensor& x) { return x / x.norm(2, {-1}, /*keepdim=*/true).clamp_min(1e-6); }

/// The nearest entry of a codebook for each patch, and the mean of a text's words.
class Sound : public ModuleComponent<Encoder> {
 public:
  Sound(const Parameters&, const BuildContext& context)
      : layout_(context.wiring.features), patch_(layers::patch_side(context.wiring.image_size, layout_.tokens)) {
    projection_ = register_module("projection", torch::nn::Linear(3 * patch_ * patch_, layout_.width));
    book_ = register_parameter("book", learned_table({layout_.codebook, layout_.width}, 0.5, context.seed, "book"));
    words_ =
        register_parameter("words", learned_table({context.vocabulary, layout_.width}, 0.5, context.seed, "words"));
    finish(context);
  }

  Layout layout() const override { return layout_; }

  Visual encode(const Tensor& images) override {
    const Tensor codes = nearest(projection_(layers::patchify(images, patch_)));
    return {torch::embedding(book_, codes), codes.unsqueeze(2)};
  }

  std::vector<Loss> loss(const EncoderBatch& batch, Generator&) override {
    const Tensor features = projection_(layers::patchify(batch.images, patch_));
    const Tensor entries = torch::embedding(book_, nearest(features));
    const Tensor image = unit(entries.mean(1)), text = embed_text(batch.captions);
    const Tensor given = batch.captions.valid.any(1).unsqueeze(1);
    return {layers::squared_error("codebook", features, entries),
            layers::squared_error("texts", torch::where(given, text, 0.0), torch::where(given, image, 0.0))};
  }

  Tensor embed_image(const Visual& visual) override { return unit(visual.x.mean(1)); }
  Tensor embed_text(const TextBatch& batch) override {
    const Tensor valid = batch.valid.defined() ? batch.valid : torch::ones(batch.ids.sizes(), torch::kBool);
    const Tensor embeds = torch::embedding(words_, batch.ids);
    return unit((embeds * weights(valid).unsqueeze(2)).sum(1) + 1e-3);
  }

  Tensor embed_codes(const Tensor& codes, std::int64_t group) override {
    return torch::embedding(book_, codes.slice(1, group, group + 1).squeeze(2));
  }

 protected:
  virtual Tensor weights(const Tensor& valid) const { return valid.to(torch::kFloat); }

 private:
  Tensor nearest(const Tensor& features) const { return (features.unsqueeze(2) - book_).square().sum(3).argmin(2); }

  Layout layout_;
  std::int64_t patch_;
  torch::nn::Linear projection_{nullptr};
  Tensor book_, words_;
};

class ReadsPadding : public Sound {
  using Sound::Sound;
  Tensor weights(const Tensor& valid) const override { return torch::ones_like(valid, torch::kFloat); }
};

/// The share of a row that is text scales its embedding's offset.
class FeelsLength : public Sound {
  using Sound::Sound;
  Tensor weights(const Tensor& valid) const override {
    return valid.to(torch::kFloat) / static_cast<double>(100 * valid.size(1));
  }
};

class OneGroupBehind : public Sound {
  using Sound::Sound;
  Tensor embed_codes(const Tensor& codes, std::int64_t group) override {
    return Sound::embed_codes(codes, std::max<std::int64_t>(group - 1, 0));
  }
};

class ExtraGroup : public Sound {
  using Sound::Sound;
  Tensor embed_codes(const Tensor& codes, std::int64_t group) override {
    return torch::cat({Sound::embed_codes(codes, group), Sound::embed_codes(codes, group)}, 1);
  }
};

constexpr const char* provides[] = {"codes", "text_embedding"};
constexpr const char* losses[] = {"codebook", "texts"};

void check(const Parameters&, Wiring& wiring) {
  constexpr std::int64_t grid = 4;
  layers::check_grid(grid, "", wiring);
  wiring.features = {
      .tokens = grid * grid, .width = 8, .codebook = 11, .groups = std::vector<std::int64_t>(grid * grid, 1)};
}

template <class T>
constexpr ComponentDescriptor encoder(const char* name, const char* summary) {
  return {.kind = Kind::encoder,
          .name = name,
          .summary = summary,
          .provides = provides,
          .losses = losses,
          .check = check,
          .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    encoder<Sound>("sound", "Nothing is wrong with it."),
    encoder<ReadsPadding>("reads_padding", "Its embeddings of texts depend on what pads them."),
    encoder<FeelsLength>("feels_length", "Its embeddings of texts depend on how far they are padded."),
    encoder<OneGroupBehind>("one_group_behind", "Embeds the codes of the group before."),
    encoder<ExtraGroup>("extra_group", "Embeds two groups for one."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_code_encoders", "0.1.0", "Apache-2.0", blip3u::mutants::components)
