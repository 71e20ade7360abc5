#include "model/reader.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include <ATen/ATen.h>

#include "blip3u/error.h"
#include "model/layout.h"
#include "model/sources.h"
#include "pipeline/texts.h"

namespace blip3u {

namespace {

/// Appends blocks and keeps what is to be learned of them.
class Reader {
 public:
  Reader(Backbone& backbone, at::Device device, Session& session, const Tensor& before, bool learns)
      : backbone_(backbone), device_(device), session_(session), state_(before), learns_(learns) {}

  void append(const Laid& laid) {
    Tensor hidden;  // [B,T,C]
    if (laid.block.embeds.defined()) hidden = session_.append(laid.block);
    if (learns_) learn(laid.lines, hidden);
    if (hidden.defined()) go_on(laid.lines, hidden);
  }

  Reading finish() {
    Reading reading;
    reading.state = state_.defined() ? state_ : no_state();
    if (ids_.empty()) return reading;
    const Tensor from = from_.size() == 1 ? from_.front() : at::cat(from_);
    reading.logits = backbone_.logits(from.unsqueeze(0)).squeeze(0);
    reading.expected = tensor_of(ids_);
    reading.weights = at::tensor(weights_, at::kFloat).to(device_);
    reading.rows = std::move(of_rows_);
    return reading;
  }

 private:
  Tensor tensor_of(const std::vector<std::int64_t>& values) const { return at::tensor(values, at::kLong).to(device_); }
  Tensor no_state() const { return at::zeros({session_.batch(), backbone_.width()}, device_); }

  /// A token is expected from the state of the token before it: the block's, or the last of those before the block.
  void learn(const std::vector<Line>& lines, const Tensor& hidden) {
    const std::int64_t length = hidden.defined() ? hidden.size(1) : 0;
    std::vector<std::int64_t> rows, places;
    const auto expect = [&](bool first) {
      for (std::size_t b = 0; b < lines.size(); ++b) {
        const auto row = static_cast<std::int64_t>(b);
        for (const Line::Word& word : lines[b].words) {
          if ((word.place == 0) != first) continue;
          first ? rows.push_back(row) : places.push_back(row * length + word.place - 1);
          ids_.push_back(word.id);
          of_rows_.push_back(row);
          weights_.push_back(word.weight);
        }
      }
    };
    if (state_.defined()) expect(/*first=*/true);
    expect(/*first=*/false);
    if (!rows.empty()) from_.push_back(state_.index_select(0, tensor_of(rows)));
    if (!places.empty()) from_.push_back(hidden.flatten(0, 1).index_select(0, tensor_of(places)));
  }

  void go_on(const std::vector<Line>& lines, const Tensor& hidden) {
    const std::int64_t length = hidden.size(1);
    if (std::ranges::all_of(lines, [&](const Line& line) { return line.last == length - 1; })) {
      state_ = hidden.select(1, -1);
      return;
    }
    std::vector<std::int64_t> last, reads;
    for (std::size_t b = 0; b < lines.size(); ++b) {
      last.push_back(static_cast<std::int64_t>(b) * length + std::max<std::int64_t>(lines[b].last, 0));
      reads.push_back(lines[b].last >= 0 ? 1 : 0);
    }
    const Tensor state = hidden.flatten(0, 1).index_select(0, tensor_of(last));
    const bool all = std::ranges::find(reads, 0) == reads.end();
    state_ =
        all ? state
            : at::where(tensor_of(reads).to(at::kBool).unsqueeze(1), state, state_.defined() ? state_ : no_state());
  }

  Backbone& backbone_;
  const at::Device device_;
  Session& session_;
  Tensor state_;  // [B,C]; undefined at the start of a session
  const bool learns_;
  std::vector<Tensor> from_;  // states [n,C] from which the ids are expected
  std::vector<std::int64_t> ids_, of_rows_;
  std::vector<float> weights_;
};

/// Numbers the pictures that rows show anew, from 0 on; returns their numbers so far.
std::vector<std::int64_t> renumber(std::vector<Runs>& rows) {
  std::map<std::int64_t, std::int64_t> numbers;
  std::vector<std::int64_t> before;
  for (Runs& runs : rows) {
    for (Run& run : runs) {
      if (run.image < 0) continue;
      const auto [number, fresh] = numbers.emplace(run.image, std::ssize(before));
      if (fresh) before.push_back(run.image);
      run.image = number->second;
    }
  }
  return before;
}

std::vector<Laid> lay_out(Backbone& backbone, at::Device device, std::vector<Runs> rows, const SeenPictures& pictures) {
  std::vector<Block> shown;
  if (const auto named = renumber(rows); !named.empty()) {  // of a batch, each stretch shows few
    for (const Visual& seen : pictures) shown.push_back(backbone.embed_visual(select_pictures(seen, named)));
    if (shown.empty()) {
      throw Error(Fault::usage,
                  "a conversation shows a picture, but the backbone reads with no encoder; name one in "
                  "the recipe, or leave out the picture");
    }
  }
  const bool axes =
      std::ranges::any_of(shown, [](const Block& block) { return block.places.defined() && block.places.dim() == 3; });
  // A single row has no padding, and one pass reads the weights once.
  const bool in_turn = alike(rows) && (rows.size() > 1 || rows.front().size() <= 1 || axes);
  std::vector<Laid> blocks;
  if (in_turn) {
    blocks = lay_out_in_turn(backbone, device, rows, shown);
  } else {
    blocks.push_back(lay_out_together(backbone, device, rows, shown));
  }
  std::int64_t length = 0;
  for (const Laid& laid : blocks) length += laid.block.embeds.defined() ? laid.block.embeds.size(1) : 0;
  if (length > longest_text) {
    throw Error(Fault::usage, fmt::format("a conversation of {} tokens is too long: {} fit; shorten its texts", length,
                                          longest_text));
  }
  return blocks;
}

}  // namespace

Reading read_spans(Backbone& backbone, at::Device device, Session& session, const std::vector<std::vector<Span>>& rows,
                   const SeenPictures& pictures, const Tensor& before, Purpose purpose) {
  if (static_cast<std::int64_t>(rows.size()) != session.batch()) {
    throw Error(fmt::format("{} conversations for a session of {}", rows.size(), session.batch()));
  }
  std::vector<Runs> runs;
  runs.reserve(rows.size());
  for (const auto& row : rows) runs.push_back(runs_of(row, purpose == Purpose::learn_last));
  Reader reader(backbone, device, session, before, purpose != Purpose::context);
  for (const Laid& laid : lay_out(backbone, device, std::move(runs), pictures)) reader.append(laid);
  return reader.finish();
}

std::vector<std::vector<Span>> cut_at_made_pictures(std::vector<Span> spans) {
  std::vector<std::vector<Span>> stretches(1);
  for (Span& span : spans) {
    if (span.image >= 0 && span.weight > 0) stretches.emplace_back();
    stretches.back().push_back(std::move(span));
  }
  return stretches;
}

Loss text_loss(const Reading& reading) {
  const Tensor each = at::cross_entropy_loss(reading.logits.to(at::kFloat), reading.expected, {}, at::Reduction::None);
  return {text_loss_name, (each * reading.weights).sum(), reading.weights.sum()};
}

}  // namespace blip3u
