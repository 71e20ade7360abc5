// What turns an encoder's tokens into tokens of the backbone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>
#include <torch/torch.h>

#include "blip3u/backbone.h"
#include "blip3u/error.h"
#include "blip3u/module_component.h"
#include "layers/feed_forward.h"
#include "layers/merge.h"
#include "layers/patches.h"
#include "layers/positions.h"

namespace blip3u::gpt {

class EyeImpl : public torch::nn::Module {
 public:
  /// Reads the parameters `merge`, `visual_projector` and `image_positions`.
  EyeImpl(const Layout& layout, const Parameters& parameters, std::int64_t width, std::uint64_t seed)
      : merge_(parameters.integer("merge")) {
    const std::int64_t input = layout.width * merge_ * merge_;
    if (parameters.text("visual_projector") == "mlp") {
      projector_ = torch::nn::AnyModule(layers::FeedForward(input, width, width));
    } else {
      projector_ = torch::nn::AnyModule(torch::nn::Linear(input, width));
    }
    register_module("projector", projector_.ptr());
    const std::int64_t tokens = layout.tokens / (merge_ * merge_);
    positions_ = register_parameter("positions",
                                    layers::token_positions(parameters.text("image_positions"), tokens, width, seed));
  }

  /// The picture's tokens see each other. Places on three axes are frame, row and column; on two, row and column.
  Block forward(const Visual& visual, std::int64_t axes) {
    if (!visual.x.defined()) {
      throw Error(Fault::plugin, "backbone `gpt` reads features, but the encoder gave codes without their embedding");
    }
    Block block;
    std::vector<Grid> grids = visual.grids;
    if (grids.empty()) {
      if (visual.valid.defined() && merge_ > 1) {
        throw Error(Fault::plugin, "backbone `gpt`: rows of unlike length can be merged only with their grids");
      }
      block.embeds = projector_.forward(layers::merge_squares(visual.x, merge_)) + positions_;
      block.valid = visual.valid;
      const std::int64_t side = layers::grid_side(positions_.size(0));
      grids.assign(static_cast<std::size_t>(visual.x.size(0)), {.rows = side, .columns = side});
    } else {
      for (Grid& grid : grids) grid = {.rows = grid.rows / merge_, .columns = grid.columns / merge_};
      gather(visual, grids, block);
    }
    const std::int64_t length = block.embeds.size(1);
    block.group = at::zeros({length}, visual.x.options().dtype(at::kLong));
    if (axes == 2 || axes == 3) block.places = places(grids, length).slice(2, 3 - axes).to(visual.x.device());
    return block;
  }

 private:
  /// Rows of unlike grids (already merged), padded at their ends.
  void gather(const Visual& visual, const std::vector<Grid>& grids, Block& block) {
    std::int64_t longest = 0;
    for (const Grid& grid : grids) longest = std::max(longest, grid.rows * grid.columns);
    std::vector<Tensor> tokens, positions, valid;
    for (std::size_t row = 0; row < grids.size(); ++row) {
      const auto [rows, columns] = grids[row];
      const std::int64_t count = rows * columns, whole = visual.grids[row].rows * visual.grids[row].columns;
      if (count * merge_ * merge_ != whole || count == 0 || whole > visual.x.size(1)) {
        throw Error(Fault::plugin,
                    fmt::format("backbone `gpt`: a grid of {} x {} tokens cannot be cut into squares of "
                                "{} from {} tokens; choose other sizes of pictures, or set merge: 1",
                                visual.grids[row].rows, visual.grids[row].columns, merge_, visual.x.size(1)));
      }
      const Tensor squares = visual.x[static_cast<std::int64_t>(row)]
                                 .narrow(0, 0, whole)
                                 .view({rows, merge_, columns, merge_, -1})
                                 .transpose(1, 2)
                                 .flatten(2)
                                 .flatten(0, 1);
      const std::int64_t missing = longest - count;
      tokens.push_back(at::constant_pad_nd(squares, {0, 0, 0, missing}));
      positions.push_back(at::constant_pad_nd(stretched(rows, columns), {0, 0, 0, missing}));
      valid.push_back(at::arange(longest, visual.x.options().dtype(at::kLong)) < count);
    }
    block.embeds = projector_.forward(at::stack(tokens)) + at::stack(positions);
    const bool even = std::ranges::all_of(grids, [&](const Grid& g) { return g.rows * g.columns == longest; });
    if (!even) block.valid = at::stack(valid);
  }

  /// The learned positions, which lie on a square, over a grid of another shape: [rows*columns,width].
  Tensor stretched(std::int64_t rows, std::int64_t columns) const {
    const std::int64_t side = layers::grid_side(positions_.size(0));
    if (rows == side && columns == side) return positions_;
    if (side == 0) {
      throw Error(Fault::plugin, "backbone `gpt`: only tokens of a square layout have positions on other grids");
    }
    const Tensor square = positions_.view({1, side, side, -1}).permute({0, 3, 1, 2});
    return at::upsample_bilinear2d(square, {rows, columns}, /*align_corners=*/false)[0].flatten(1).t();
  }

  /// [B,N,3]; padding stands at zero.
  static Tensor places(const std::vector<Grid>& grids, std::int64_t length) {
    Tensor result = at::zeros({static_cast<std::int64_t>(grids.size()), length, 3}, at::kLong);
    auto place = result.accessor<std::int64_t, 3>();
    for (std::size_t row = 0; row < grids.size(); ++row) {
      for (std::int64_t token = 0; token < grids[row].rows * grids[row].columns; ++token) {
        place[static_cast<std::int64_t>(row)][token][1] = token / grids[row].columns;
        place[static_cast<std::int64_t>(row)][token][2] = token % grids[row].columns;
      }
    }
    return result;
  }

  std::int64_t merge_;
  torch::nn::AnyModule projector_;
  Tensor positions_;
};
TORCH_MODULE(Eye);

/// Rejects a `merge` whose squares do not tile the encoder's grid.
inline void check_eye(const Layout& layout, const Parameters& parameters, Wiring& wiring) {
  layers::check_merge(parameters.integer("merge"), layout.tokens, wiring);
  layers::check_positions(parameters, "image_positions", layout.tokens, wiring);
  if (!layout.ragged || layers::grid_side(layout.tokens) > 0) return;
  wiring.reject("", fmt::format("pictures of any size need learned positions on a square, but {} tokens at most make "
                                "none; choose an encoder of another number",
                                layout.tokens));
}

}  // namespace blip3u::gpt
