// Guidances that are wrong in one way each, and `sound`, from which they differ.
#include <torch/torch.h>

#include "blip3u/guidance.h"
#include "blip3u/plugin.h"

namespace blip3u::mutants {
namespace {

/// Classifier-free guidance.
class Sound : public Guidance {
 public:
  Sound(const Parameters&, const BuildContext&) {}
  std::vector<Context> contexts() const override { return {Context::whole, Context::nothing}; }
  Tensor combine(const Combination& given) override { return 3 * given.predictions[0] - 2 * given.predictions[1]; }
};

class Unbalanced : public Sound {
  using Sound::Sound;
  Tensor combine(const Combination& given) override { return 3 * given.predictions[0] - given.predictions[1]; }
};

class NothingFirst : public Sound {
  using Sound::Sound;
  std::vector<Context> contexts() const override { return {Context::nothing, Context::whole}; }
};

class Wavers : public Sound {
  using Sound::Sound;
  std::vector<Context> contexts() const override {
    return used_ ? std::vector{Context::whole, Context::negative} : Sound::contexts();
  }
  Tensor combine(const Combination& given) override {
    used_ = true;
    return Sound::combine(given);
  }
  bool used_ = false;
};

class NeedsTime : public Sound {
  using Sound::Sound;
  Tensor combine(const Combination& given) override {
    const Tensor scale = 1 + 2 * given.time.view({-1, 1, 1});
    return scale * given.predictions[0] + (1 - scale) * given.predictions[1];
  }
};

/// Adds a part of what it made before.
class Remembers : public Sound {
  using Sound::Sound;
  Tensor combine(const Combination& given) override {
    const Tensor change = given.predictions[0] - given.predictions[1];
    const Tensor before = last_.defined() && last_.sizes() == change.sizes() ? last_ : torch::zeros_like(change);
    last_ = change;
    return given.predictions[0] + 2 * change + 0.5 * before;
  }
  Tensor last_;
};

class AltersPredictions : public Sound {
  using Sound::Sound;
  Tensor combine(const Combination& given) override {
    Tensor whole = given.predictions[0];
    return whole.mul_(3) - 2 * given.predictions[1];
  }
};

/// Scales all rows by the spread of the batch.
class SpreadOfBatch : public Sound {
  using Sound::Sound;
  Tensor combine(const Combination& given) override {
    const Tensor guided = Sound::combine(given);
    return guided * (given.predictions[0].std() / guided.std());
  }
};

template <class T>
constexpr ComponentDescriptor guidance(const char* name, const char* summary) {
  return {.kind = Kind::guidance, .name = name, .summary = summary, .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    guidance<Sound>("sound", "Nothing is wrong with it."),
    guidance<Unbalanced>("unbalanced", "Its weights sum to 2."),
    guidance<NothingFirst>("nothing_first", "Its first context is not the whole."),
    guidance<Wavers>("wavers", "Asks for other contexts once it was used."),
    guidance<NeedsTime>("needs_time", "Cannot do without a time."),
    guidance<Remembers>("remembers", "Goes on from what it made before."),
    guidance<AltersPredictions>("alters_predictions", "Scales the predictions where they lie."),
    guidance<SpreadOfBatch>("spread_of_batch", "Scales a row by the spread of all."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_guidances", "0.1.0", "Apache-2.0", blip3u::mutants::components)
