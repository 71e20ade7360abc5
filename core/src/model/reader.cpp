#include "model/reader.h"

#include <algorithm>

#include <fmt/format.h>

#include <ATen/ATen.h>

#include "blip3u/error.h"
#include "pipeline/texts.h"

namespace blip3u {

namespace {

Tensor tensor_of(const std::vector<std::int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

/// Lays the tokens of a block out on the CPU: all embeddings lie in one pool, and each place says which it takes.
class Page {
 public:
  Page(const std::vector<std::vector<Span>>& rows, bool last) : rows_(rows), last_(last) {
    for (const auto& row : rows) {
      for (const Span& span : row) ids_.insert(ids_.end(), span.ids.begin(), span.ids.end());
    }
  }

  void show(Backbone& backbone, const SeenPictures& pictures) {
    for (const Visual& seen : pictures) {
      if (std::ranges::none_of(rows_, [](const auto& row) { return any_picture(row); })) break;
      shown_.push_back(look(backbone, seen));
    }
  }

  /// The block, or one without embeddings if there is nothing to read.
  Block lay_out(Backbone& backbone, at::Device device) {
    for (const auto& row : rows_) lay_out_row(row);
    std::size_t longest = 0;
    for (const Line& line : lines_) longest = std::max(longest, line.source.size());
    length_ = static_cast<std::int64_t>(longest);
    if (length_ > longest_text) {
      throw Error(Fault::usage, fmt::format("a conversation of {} tokens is too long: {} fit; shorten its texts",
                                            length_, longest_text));
    }
    if (longest == 0) return {};
    const auto count = static_cast<std::int64_t>(lines_.size());
    std::vector<std::int64_t> source, group, place, expert;
    std::vector<std::uint8_t> valid;
    bool padded = false, plain = true, experts = false;
    for (Line& line : lines_) {
      const std::size_t own = line.source.size();
      padded = padded || own < longest;
      plain = plain && line.plain;
      experts = experts || line.experts;
      for (auto* values : {&line.source, &line.group, &line.place, &line.expert}) values->resize(longest, 0);
      source.insert(source.end(), line.source.begin(), line.source.end());
      group.insert(group.end(), line.group.begin(), line.group.end());
      place.insert(place.end(), line.place.begin(), line.place.end());
      expert.insert(expert.end(), line.expert.begin(), line.expert.end());
      valid.insert(valid.end(), own, 1);
      valid.insert(valid.end(), longest - own, 0);
    }
    std::vector<Tensor> pool;
    if (!ids_.empty()) pool.push_back(backbone.embed(tensor_of(ids_, device).unsqueeze(0)).squeeze(0));
    for (const Shown& shown : shown_) pool.push_back(shown.block.embeds.flatten(0, 1));
    const Tensor all = pool.size() == 1 ? pool.front() : at::cat(pool);
    Block block;
    block.embeds = all.index_select(0, tensor_of(source, device)).view({count, length_, all.size(1)});
    if (padded) block.valid = at::tensor(valid, at::kByte).to(at::kBool).view({count, length_}).to(device);
    if (!plain) {  // pictures see forwards, and may stand otherwise than one after another
      block.group = tensor_of(group, device).view({count, length_});
      block.places = tensor_of(place, device).view({count, length_});
    }
    if (experts) block.expert = at::tensor(expert, at::kLong).view({count, length_});
    return block;
  }

  std::int64_t length() const { return length_; }
  std::int64_t tokens(std::size_t row) const { return lines_[row].tokens; }

  /// Places in [B, 1 + T] (the state before, then the block's) from which a token with weight is expected.
  struct Expected {
    std::vector<std::int64_t> places, ids;
    std::vector<float> weights;
  };
  Expected expected(bool begins) const {
    Expected result;
    for (std::size_t b = 0; b < lines_.size(); ++b) {
      for (const Word& word : lines_[b].words) {
        if (word.weight <= 0 || (begins && word.place == 0)) continue;
        result.places.push_back(static_cast<std::int64_t>(b) * (length_ + 1) + word.place);
        result.ids.push_back(word.id);
        result.weights.push_back(word.weight);
      }
    }
    return result;
  }

 private:
  struct Shown {  // one encoder's pictures as a block, with what the CPU must know of it
    Block block;
    Tensor group, places, expert, valid;  // [P,N] int64 and bool on the CPU; undefined where the block's are
    std::int64_t tokens = 0;
  };
  struct Word {
    std::int64_t place, id;
    float weight;
  };
  struct Line {
    std::vector<std::int64_t> source, group, place, expert;
    std::vector<Word> words;
    std::int64_t tokens = 0;  // that are read
    std::int64_t next_group = 0, next_place = 0;
    bool plain = true, experts = false;
  };

  static bool any_picture(const std::vector<Span>& row) {
    return std::ranges::any_of(row, [](const Span& span) { return span.image >= 0; });
  }

  static Shown look(Backbone& backbone, const Visual& seen) {
    Shown shown{.block = backbone.embed_visual(seen)};
    const std::int64_t pictures = shown.block.embeds.size(0);
    shown.tokens = shown.block.embeds.size(1);
    const auto known = [&](const Tensor& values) {
      if (!values.defined()) return Tensor();
      return values.expand({pictures, shown.tokens}).to(at::kCPU).contiguous();
    };
    if (shown.block.places.defined() && shown.block.places.dim() == 3) {
      throw Error(Fault::plugin,
                  "the backbone places pictures on several axes, which conversations do not lay out yet");
    }
    shown.group = known(shown.block.group);
    shown.places = known(shown.block.places);
    shown.expert = known(shown.block.expert);
    shown.valid = known(shown.block.valid);
    return shown;
  }

  void lay_out_row(const std::vector<Span>& row) {
    Line line;
    std::int64_t left = 0;  // words that the row still has
    for (const Span& span : row) left += static_cast<std::int64_t>(span.ids.size());
    const bool ends_with_word = !row.empty() && row.back().image < 0;
    for (const Span& span : row) {
      if (span.image >= 0) {
        add_picture(line, span.image);
        continue;
      }
      for (const std::int64_t id : span.ids) {
        line.words.push_back({static_cast<std::int64_t>(line.source.size()), id, span.weight});
        const std::int64_t source = next_word_++;
        if (--left == 0 && ends_with_word && last_) continue;  // only expected
        line.source.push_back(source);
        line.group.push_back(line.next_group++);
        line.place.push_back(line.next_place++);
        line.expert.push_back(0);
      }
    }
    line.tokens = static_cast<std::int64_t>(line.source.size());
    lines_.push_back(std::move(line));
  }

  void add_picture(Line& line, std::int64_t picture) {
    line.plain = false;
    auto first = static_cast<std::int64_t>(ids_.size());  // of this encoder's tokens in the pool
    for (const Shown& shown : shown_) {
      const std::int64_t row = picture * shown.tokens;
      const auto value = [&](const Tensor& values, std::int64_t token, std::int64_t otherwise) {
        return values.defined() ? values.const_data_ptr<std::int64_t>()[row + token] : otherwise;
      };
      std::int64_t last_group = 0, last_place = 0, read = 0;
      for (std::int64_t token = 0; token < shown.tokens; ++token) {
        if (shown.valid.defined() && !shown.valid.const_data_ptr<bool>()[row + token]) continue;
        const std::int64_t group = value(shown.group, token, read), place = value(shown.places, token, read);
        line.source.push_back(first + row + token);
        line.group.push_back(line.next_group + group);
        line.place.push_back(line.next_place + place);
        line.expert.push_back(value(shown.expert, token, 0));
        line.experts = line.experts || line.expert.back() != 0;
        last_group = std::max(last_group, group);
        last_place = std::max(last_place, place);
        ++read;
      }
      if (read > 0) {
        line.next_group += last_group + 1;
        line.next_place += last_place + 1;
      }
      first += shown.block.embeds.size(0) * shown.tokens;
    }
  }

  const std::vector<std::vector<Span>>& rows_;
  const bool last_;
  std::vector<std::int64_t> ids_;  // of all rows, in the order of the pool
  std::int64_t next_word_ = 0;
  std::vector<Shown> shown_;
  std::vector<Line> lines_;
  std::int64_t length_ = 0;
};

}  // namespace

Reading read_spans(Backbone& backbone, at::Device device, Session& session, const std::vector<std::vector<Span>>& rows,
                   const SeenPictures& pictures, const Tensor& before, Purpose purpose) {
  if (static_cast<std::int64_t>(rows.size()) != session.batch()) {
    throw Error(fmt::format("{} conversations for a session of {}", rows.size(), session.batch()));
  }
  Page page(rows, purpose == Purpose::learn_last);
  page.show(backbone, pictures);
  const Block block = page.lay_out(backbone, device);
  Tensor hidden;
  if (page.length() > 0) hidden = session.append(block);
  Reading reading;
  const Page::Expected expected = page.expected(!before.defined());
  const std::int64_t count = session.batch(), width = backbone.width();
  std::vector<Tensor> states;  // [B,1,C] and [B,T,C]
  if (before.defined()) states.push_back(before.unsqueeze(1));
  if (!before.defined()) states.push_back(at::zeros({count, 1, width}, hidden.options()));
  if (hidden.defined()) states.push_back(hidden);
  const Tensor all = states.size() == 1 ? states.front().flatten(0, 1) : at::cat(states, 1).flatten(0, 1);
  std::vector<std::int64_t> last;
  for (std::int64_t b = 0; b < count; ++b) {
    last.push_back(b * (page.length() + 1) + page.tokens(static_cast<std::size_t>(b)));
  }
  reading.state = all.index_select(0, tensor_of(last, device));
  if (purpose != Purpose::context && !expected.ids.empty()) {
    const Tensor from = all.index_select(0, tensor_of(expected.places, device));
    reading.logits = backbone.logits(from.unsqueeze(0)).squeeze(0);
    reading.expected = tensor_of(expected.ids, device);
    reading.weights = at::tensor(expected.weights, at::kFloat).to(device);
  }
  return reading;
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
