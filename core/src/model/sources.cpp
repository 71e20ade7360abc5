#include "model/sources.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace blip3u {

namespace {

const Tensor& tokens_of(const Visual& visual) { return visual.x.defined() ? visual.x : visual.codes; }

Tensor valid_of(const Visual& visual) {
  const Tensor& tokens = tokens_of(visual);
  return visual.valid.defined() ? visual.valid
                                : at::ones({tokens.size(0), tokens.size(1)}, tokens.options().dtype(at::kBool));
}

/// With zeros behind the tokens of each row.
Tensor padded(const Tensor& values, std::int64_t tokens) {
  std::vector<std::int64_t> shape = values.sizes().vec();
  if (shape[1] == tokens) return values;
  shape[1] = tokens - shape[1];
  return at::cat({values, at::zeros(shape, values.options())}, 1);
}

}  // namespace

Visual select_pictures(const Visual& all, const std::vector<std::int64_t>& rows) {
  const Tensor index = at::tensor(rows, at::kLong).to(tokens_of(all).device());
  Visual result{.x = {}, .codes = {}, .source = all.source};
  for (const auto member : {&Visual::x, &Visual::codes, &Visual::valid}) {
    if ((all.*member).defined()) result.*member = (all.*member).index_select(0, index);
  }
  if (!all.grids.empty()) {
    for (const std::int64_t row : rows) result.grids.push_back(all.grids[static_cast<std::size_t>(row)]);
  }
  return result;
}

Visual joined(const Visual& first, const Visual& second) {
  const std::int64_t before = tokens_of(first).size(1), after = tokens_of(second).size(1);
  const std::int64_t tokens = std::max(before, after);
  const auto both = [&](const Tensor& a, const Tensor& b) { return at::cat({padded(a, tokens), padded(b, tokens)}); };
  Visual result{.x = {}, .codes = {}, .source = first.source};
  if (first.x.defined()) result.x = both(first.x, second.x);
  if (first.codes.defined()) result.codes = both(first.codes, second.codes);
  if (first.valid.defined() || second.valid.defined() || before != after) {
    result.valid = both(valid_of(first), valid_of(second));
  }
  result.grids = first.grids;
  result.grids.insert(result.grids.end(), second.grids.begin(), second.grids.end());
  return result;
}

std::vector<Visual> source_pictures(const Visual& all, const std::vector<std::vector<std::int64_t>>& pictures) {
  std::size_t most = 0;
  for (const auto& row : pictures) most = std::max(most, row.size());
  std::vector<Visual> sources;
  for (std::size_t place = 0; place < most; ++place) {
    std::vector<std::int64_t> rows;
    Tensor there = at::ones({std::ssize(pictures)}, at::kBool);
    for (std::size_t row = 0; row < pictures.size(); ++row) {
      const bool has = place < pictures[row].size();
      if (!has) there[static_cast<std::int64_t>(row)] = false;
      rows.push_back(has ? pictures[row][place] : 0);
    }
    Visual source = select_pictures(all, rows);
    if (!there.all().item<bool>()) {
      source.valid = valid_of(source);
      source.valid = source.valid.logical_and(there.to(source.valid.device()).unsqueeze(1));
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

}  // namespace blip3u
