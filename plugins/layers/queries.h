// Learnable queries that fetch an image's condition from a session, and the connector that translates it (MetaQuery,
// Pan et al. 2025, arXiv:2504.06256; BLIP3-o, Chen et al. 2025, arXiv:2505.09568).
#pragma once

#include <torch/torch.h>

#include "blip3u/backbone.h"
#include "blip3u/module_component.h"
#include "layers/feed_forward.h"
#include "layers/norm.h"

namespace blip3u::layers {

inline constexpr ParameterSpec query_parameters[] = {
    integer("queries", 8, 1, 4096, "learnable queries that read the prompt from the backbone"),
    number("query_deviation", 0.5, 0.0, 10.0, "standard deviation of the queries' initial values"),
};

class QueriesImpl : public torch::nn::Module {
 public:
  /// Reads `query_parameters`; `width` is that of the condition's tokens.
  QueriesImpl(const Parameters& parameters, const BuildContext& context, std::int64_t width)
      : table_(
            register_parameter("table", learned_table({parameters.integer("queries"), context.wiring.backbone_width},
                                                      parameters.number("query_deviation"), context.seed, "queries"))),
        connector_(register_module("connector", FeedForward(context.wiring.backbone_width, width, width))),
        norm_(register_module("norm", RMSNorm(width))) {}

  /// Runs the queries behind what the session holds, without leaving a trace in it: [B,Q,width].
  Tensor forward(Session& context) {
    Block block;
    block.embeds = table_.unsqueeze(0).expand({context.batch(), -1, -1});
    block.commit = false;
    return norm_(connector_(context.append(block)));
  }

 private:
  Tensor table_;
  FeedForward connector_;
  RMSNorm norm_;
};
TORCH_MODULE(Queries);

/// Rejects a pipeline in which queries have nothing to read or their network nothing to make.
inline void check_queries(Wiring& wiring) {
  if (wiring.backbone_width == 0) wiring.reject("", "it reads its condition from a backbone; name one");
  if (wiring.features.tokens == 0) wiring.reject("", "it makes an encoder's features; name an encoder");
}

}  // namespace blip3u::layers
