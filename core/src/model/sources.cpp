#include "model/sources.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace blip3u {

Visual select_pictures(const Visual& all, const std::vector<std::int64_t>& rows) {
  const Tensor index = at::tensor(rows, at::kLong).to((all.x.defined() ? all.x : all.codes).device());
  Visual result{.x = {}, .codes = {}, .source = all.source};
  for (const auto member : {&Visual::x, &Visual::codes, &Visual::valid}) {
    if ((all.*member).defined()) result.*member = (all.*member).index_select(0, index);
  }
  if (!all.grids.empty()) {
    for (const std::int64_t row : rows) result.grids.push_back(all.grids[static_cast<std::size_t>(row)]);
  }
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
      const Tensor& tokens = source.x.defined() ? source.x : source.codes;
      if (!source.valid.defined())
        source.valid = at::ones({tokens.size(0), tokens.size(1)}, tokens.options().dtype(at::kBool));
      source.valid = source.valid.logical_and(there.to(tokens.device()).unsqueeze(1));
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

}  // namespace blip3u
