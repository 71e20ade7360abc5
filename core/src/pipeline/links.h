// The links of generation, and pictures made by them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "blip3u/backbone.h"
#include "blip3u/denoiser.h"
#include "blip3u/encoder.h"
#include "blip3u/guidance.h"
#include "blip3u/sampler.h"
#include "blip3u/watch.h"

namespace blip3u {

/// Per-channel mean and deviation of the generation target. The samplers work on (x - mean) / deviation, so that every
/// encoder's features meet the noise at the same scale. Saved with every stage that learns pictures. Identity until
/// set.
struct FeatureScale {
  Tensor mean, deviation;  ///< [D]

  std::vector<NamedTensor> tensors() const { return {{"mean", mean}, {"deviation", deviation}}; }
};

/// A link of generation. Its parts are null where they were not built, or the recipe names none.
struct Link {
  Encoder* target = nullptr;
  Denoiser* denoiser = nullptr;
  Sampler* sampler = nullptr;
  Sampler* solver = nullptr;  ///< what makes pictures: the recipe's solver, or the sampler that trained
  Guidance* guidance = nullptr;
  FeatureScale scale;
  std::int64_t source = -1;  ///< which of the encoders that the backbone reads with the target is; -1: none

  /// What guidance wants to be told; the whole conversation first.
  std::vector<Context> contexts() const;

  /// What the denoiser makes of what is given; rows where `nothing` [B] bool is true stand for nothing, if it can.
  std::unique_ptr<Condition> prepare(const Given& given, const Tensor& nothing) const;

  // What a sampler made, in the target's own scale, and back. Codes have none.
  Visual unscaled(Visual made) const;
  Visual scaled(Visual visual) const;
};

/// What the guidance of any link wants to be told; the whole conversation first.
BLIP3U_API std::vector<Context> contexts_of(std::span<const Link> links);

/// Makes one picture for each seed, link by link, from a session of contexts_of(links).size() * seeds.size() rows, all
/// rows of the first context, then all of the second; it is left as it was. `sources` are the pictures in the contexts,
/// as each link's denoiser sees them (Given::sources). Returns what each link made, in its target's own scale. Throws
/// Cancelled where the watch, which is told guesses of the last link alone, says to stop.
BLIP3U_API std::vector<Visual> paint(std::span<const Link> links, Session& session,
                                     std::span<const std::vector<Visual>> sources,
                                     const std::vector<std::uint64_t>& seeds, const Watch& watch);

}  // namespace blip3u
