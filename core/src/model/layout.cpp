#include "model/layout.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "blip3u/error.h"

namespace blip3u {

namespace {

Tensor tensor_of(const std::vector<std::int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

void learn(Line& line, const Run& run, std::size_t word, std::int64_t place) {
  if (run.weights[word] > 0) line.words.push_back({place, run.ids[word], run.weights[word]});
}

/// Run `which` of all rows, of which `embeds` [B,T,C] are the words.
Laid lay_out_words(const std::vector<Runs>& rows, std::size_t which, const Tensor& embeds) {
  const auto longest = static_cast<std::size_t>(embeds.size(1));
  Laid laid;
  std::vector<std::uint8_t> valid;
  for (const Runs& runs : rows) {
    const Run& run = runs[which];
    Line& line = laid.lines.emplace_back();
    for (std::size_t word = 0; word < run.ids.size(); ++word) learn(line, run, word, static_cast<std::int64_t>(word));
    line.last = static_cast<std::int64_t>(run.read) - 1;
    valid.insert(valid.end(), run.read, 1);
    valid.insert(valid.end(), longest - run.read, 0);
  }
  if (longest == 0) return laid;
  laid.block.embeds = embeds;
  if (std::ranges::find(valid, 0) != valid.end()) {
    laid.block.valid = at::tensor(valid, at::kByte).to(at::kBool).view(embeds.sizes().slice(0, 2)).to(embeds.device());
  }
  return laid;
}

/// Run `which` of all rows, as one encoder sees it.
Laid lay_out_pictures(const std::vector<Runs>& rows, std::size_t which, const Block& shown) {
  std::vector<std::int64_t> images;
  bool all = std::ssize(rows) == shown.embeds.size(0);
  for (const Runs& runs : rows) {
    all = all && runs[which].image == std::ssize(images);
    images.push_back(runs[which].image);
  }
  Laid laid{shown, std::vector<Line>(rows.size(), {{}, shown.embeds.size(1) - 1})};
  if (!all) {
    for (const auto member : {&Block::embeds, &Block::valid, &Block::group, &Block::places, &Block::expert}) {
      Tensor& values = laid.block.*member;
      if (values.defined() && values.dim() > 1) values = values.index_select(0, tensor_of(images, values.device()));
    }
  }
  if (!laid.block.valid.defined()) return laid;
  const Tensor valid = laid.block.valid.to(at::kCPU).contiguous();
  const bool* flag = valid.const_data_ptr<bool>();
  for (Line& line : laid.lines) {
    line.last = -1;
    for (std::int64_t token = 0; token < valid.size(1); ++token) {
      if (*flag++) line.last = token;
    }
  }
  return laid;
}

/// Lays rows out on the CPU: all embeddings lie in one pool, and each place says which it takes.
class Page {
 public:
  explicit Page(const std::vector<Block>& shown) {
    for (const Block& block : shown) shown_.push_back(look(block));
  }

  void add(const Runs& runs) {
    Row row;
    for (const Run& run : runs) {
      if (run.image >= 0) {
        add_picture(row, run.image);
        continue;
      }
      for (std::size_t word = 0; word < run.ids.size(); ++word) {
        learn(row.line, run, word, std::ssize(row.source));
        if (word < run.read) add_word(row, run.ids[word]);
      }
    }
    row.line.last = std::ssize(row.source) - 1;
    rows_.push_back(std::move(row));
  }

  Laid lay_out(Backbone& backbone, at::Device device) {
    std::size_t longest = 0;
    for (const Row& row : rows_) longest = std::max(longest, row.source.size());
    std::vector<std::int64_t> source, group, place, expert;
    std::vector<std::uint8_t> valid;
    bool padded = false, plain = true, experts = false;
    Laid laid;
    for (Row& row : rows_) {
      const std::size_t own = row.source.size();
      padded = padded || own < longest;
      plain = plain && row.plain;
      experts = experts || row.experts;
      for (auto* values : {&row.source, &row.group, &row.place, &row.expert}) values->resize(longest, 0);
      source.insert(source.end(), row.source.begin(), row.source.end());
      group.insert(group.end(), row.group.begin(), row.group.end());
      place.insert(place.end(), row.place.begin(), row.place.end());
      expert.insert(expert.end(), row.expert.begin(), row.expert.end());
      valid.insert(valid.end(), own, 1);
      valid.insert(valid.end(), longest - own, 0);
      laid.lines.push_back(std::move(row.line));
    }
    if (longest == 0) return laid;
    std::vector<Tensor> pool;
    for (const Shown& shown : shown_) pool.push_back(shown.block.embeds.flatten(0, 1));
    if (!ids_.empty()) pool.push_back(backbone.embed(tensor_of(ids_, device).unsqueeze(0)).squeeze(0));
    const Tensor all = pool.size() == 1 ? pool.front() : at::cat(pool);
    const std::vector<std::int64_t> shape{std::ssize(rows_), static_cast<std::int64_t>(longest)};
    Block& block = laid.block;
    block.embeds = all.index_select(0, tensor_of(source, device)).view({shape[0], shape[1], -1});
    if (padded) block.valid = at::tensor(valid, at::kByte).to(at::kBool).view(shape).to(device);
    if (!plain) {  // pictures see forwards, and may stand otherwise than one after another
      block.group = tensor_of(group, device).view(shape);
      block.places = tensor_of(place, device).view(shape);
    }
    if (experts) block.expert = at::tensor(expert, at::kLong).view(shape);
    return laid;
  }

 private:
  struct Shown {  // one encoder's pictures, with what the CPU must know of them
    const Block& block;
    std::int64_t first, tokens;           // of the encoder in the pool, and of a picture
    Tensor group, places, expert, valid;  // [P,N] int64 and bool on the CPU; undefined where the block's are
  };
  struct Row {
    std::vector<std::int64_t> source, group, place, expert;
    Line line;
    std::int64_t next_group = 0, next_place = 0;
    bool plain = true, experts = false;
  };

  Shown look(const Block& block) {
    const std::int64_t pictures = block.embeds.size(0), tokens = block.embeds.size(1);
    const auto known = [&](const Tensor& values) {
      if (!values.defined()) return Tensor();
      return values.expand({pictures, tokens}).to(at::kCPU).contiguous();
    };
    if (block.places.defined() && block.places.dim() == 3) {
      throw Error(
          Fault::plugin,
          "the backbone places pictures on several axes, which can be read only in conversations that have words "
          "and pictures in the same order; read them one by one");
    }
    const std::int64_t first = next_;
    next_ += pictures * tokens;
    return {block, first, tokens, known(block.group), known(block.places), known(block.expert), known(block.valid)};
  }

  void add_word(Row& row, std::int64_t id) {
    ids_.push_back(id);
    row.source.push_back(next_++);
    row.group.push_back(row.next_group++);
    row.place.push_back(row.next_place++);
    row.expert.push_back(0);
  }

  void add_picture(Row& row, std::int64_t picture) {
    row.plain = false;
    for (const Shown& shown : shown_) {
      const std::int64_t first = picture * shown.tokens;
      const auto value = [&](const Tensor& values, std::int64_t token, std::int64_t otherwise) {
        return values.defined() ? values.const_data_ptr<std::int64_t>()[first + token] : otherwise;
      };
      std::int64_t last_group = -1, last_place = -1, read = 0;
      for (std::int64_t token = 0; token < shown.tokens; ++token) {
        if (shown.valid.defined() && !shown.valid.const_data_ptr<bool>()[first + token]) continue;
        const std::int64_t group = value(shown.group, token, read), place = value(shown.places, token, read);
        row.source.push_back(shown.first + first + token);
        row.group.push_back(row.next_group + group);
        row.place.push_back(row.next_place + place);
        row.expert.push_back(value(shown.expert, token, 0));
        row.experts = row.experts || row.expert.back() != 0;
        last_group = std::max(last_group, group);
        last_place = std::max(last_place, place);
        ++read;
      }
      row.next_group += last_group + 1;
      row.next_place += last_place + 1;
    }
  }

  std::vector<Shown> shown_;
  std::vector<std::int64_t> ids_;  // of all rows, behind the pictures in the pool
  std::int64_t next_ = 0;          // of the pool
  std::vector<Row> rows_;
};

}  // namespace

Runs runs_of(const std::vector<Span>& row, bool last) {
  Runs runs;
  for (const Span& span : row) {
    if (span.image >= 0) {
      runs.push_back({.image = span.image});
      continue;
    }
    if (span.ids.empty()) continue;
    if (runs.empty() || runs.back().image >= 0) runs.emplace_back();
    Run& run = runs.back();
    run.ids.insert(run.ids.end(), span.ids.begin(), span.ids.end());
    run.weights.insert(run.weights.end(), span.ids.size(), span.weight);
    run.read = run.ids.size();
  }
  if (last && !runs.empty() && runs.back().image < 0) --runs.back().read;
  return runs;
}

bool alike(const std::vector<Runs>& rows) {
  return std::ranges::all_of(rows, [&](const Runs& runs) {
    return std::ranges::equal(
        runs, rows.front(), {}, [](const Run& run) { return run.image >= 0; },
        [](const Run& run) { return run.image >= 0; });
  });
}

std::vector<Laid> lay_out_in_turn(Backbone& backbone, at::Device device, const std::vector<Runs>& rows,
                                  const std::vector<Block>& shown) {
  const std::size_t count = rows.front().size();
  if (count == 0) return {};
  std::vector<std::int64_t> lengths(count, 0);
  for (const Runs& runs : rows) {
    for (std::size_t k = 0; k < count; ++k) lengths[k] = std::max(lengths[k], static_cast<std::int64_t>(runs[k].read));
  }
  std::vector<std::int64_t> ids;  // padded with id 0
  for (const Runs& runs : rows) {
    for (std::size_t k = 0; k < count; ++k) {
      ids.insert(ids.end(), runs[k].ids.begin(), runs[k].ids.begin() + static_cast<std::ptrdiff_t>(runs[k].read));
      ids.insert(ids.end(), static_cast<std::size_t>(lengths[k]) - runs[k].read, 0);
    }
  }
  // All words at once, since the gradient of each look-up is as large as the table.
  const Tensor all = ids.empty() ? at::empty({std::ssize(rows), 0, 0}, device)
                                 : backbone.embed(tensor_of(ids, device).view({std::ssize(rows), -1}));
  const std::vector<Tensor> words = all.split_with_sizes(lengths, 1);
  std::vector<Laid> blocks;
  for (std::size_t k = 0; k < count; ++k) {
    if (rows.front()[k].image < 0) {
      blocks.push_back(lay_out_words(rows, k, words[k]));
      continue;
    }
    for (const Block& block : shown) blocks.push_back(lay_out_pictures(rows, k, block));
  }
  return blocks;
}

Laid lay_out_together(Backbone& backbone, at::Device device, const std::vector<Runs>& rows,
                      const std::vector<Block>& shown) {
  Page page(shown);
  for (const Runs& runs : rows) page.add(runs);
  return page.lay_out(backbone, device);
}

}  // namespace blip3u
