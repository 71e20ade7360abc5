// The two contrastive objectives between image and text embeddings of a batch. Texts that are equal, word for word,
// are positives of each other's images; rows without a text take no part.
#pragma once

#include <torch/torch.h>

#include "blip3u/visual.h"

namespace blip3u::clip {

struct Pairs {
  Tensor positive;  ///< [B,B] bool: image i and text j belong together
  Tensor present;   ///< [B] bool: row i has a text
};

inline Pairs pair_up(const TextBatch& texts) {
  // What lies below padding counts for nothing.
  const bool padded = texts.valid.defined();
  const Tensor ids = padded ? texts.ids.masked_fill(texts.valid.logical_not(), -1) : texts.ids;
  const Tensor present = padded ? texts.valid.any(1) : torch::ones({ids.size(0)}, ids.options().dtype(torch::kBool));
  const Tensor equal = (ids.unsqueeze(0) == ids.unsqueeze(1)).all(2);
  return {equal.logical_and(present.unsqueeze(1)), present};
}

/// Each of the B x B pairs is a yes-or-no question (SigLIP, Zhai et al. 2023, arXiv:2303.15343): the sum of
/// -log sigmoid(+-logit) over all pairs, counted by rows.
inline Loss siglip_loss(const Tensor& logits, const Pairs& pairs) {
  const Tensor sign = pairs.positive.to(logits.scalar_type()) * 2 - 1;
  const Tensor asked = pairs.present.unsqueeze(0).logical_and(pairs.present.unsqueeze(1));
  const Tensor terms = torch::log_sigmoid(logits * sign) * asked.to(logits.scalar_type());
  return {"contrastive", -terms.sum(), pairs.present.sum().clamp_min(1).to(logits.scalar_type())};
}

/// Each image chooses among the texts and each text among the images (CLIP, Radford et al. 2021, arXiv:2103.00020):
/// the mean of both cross-entropies. Where several are right, each is to get an equal share of the probability.
inline Loss infonce_loss(const Tensor& logits, const Pairs& pairs) {
  const Tensor share = pairs.positive.to(logits.scalar_type());
  const Tensor target = share / share.sum(1, /*keepdim=*/true).clamp_min(1);  // symmetric, as `positive` is
  const Tensor open = logits.masked_fill(pairs.present.logical_not().unsqueeze(0), -1e9);
  const Tensor open_transposed = logits.t().masked_fill(pairs.present.logical_not().unsqueeze(0), -1e9);
  const Tensor chosen = torch::log_softmax(open, 1) + torch::log_softmax(open_transposed, 1);
  return {"contrastive", -0.5 * (target * chosen).sum(), pairs.present.sum().clamp_min(1).to(logits.scalar_type())};
}

}  // namespace blip3u::clip
