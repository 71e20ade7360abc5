#include "data/position.h"

#include <algorithm>
#include <array>

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include "blip3u/error.h"

namespace blip3u {

namespace {

constexpr std::array fields = {&CursorPosition::pass,  &CursorPosition::chapter, &CursorPosition::offset,
                               &CursorPosition::taken, &CursorPosition::read,    &CursorPosition::corrupt};
constexpr const char* row_name = "data.row";
constexpr const char* lanes_name = "data.lanes";

const Tensor& find(const std::vector<NamedTensor>& tensors, const char* name, std::int64_t dimensions) {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  if (found == tensors.end() || found->value.dim() != dimensions || found->value.scalar_type() != at::kLong) {
    throw Error(fmt::format("the position in the data lacks a sound '{}'; go on from another checkpoint", name));
  }
  return found->value;
}

}  // namespace

std::vector<NamedTensor> to_tensors(const StreamPosition& position) {
  std::size_t sources = 0;
  for (const auto& lane : position.lanes) sources = std::max(sources, lane.size());
  const auto options = at::TensorOptions(at::kCPU).dtype(at::kLong);
  Tensor lanes = at::full({static_cast<std::int64_t>(position.lanes.size()), static_cast<std::int64_t>(sources),
                           static_cast<std::int64_t>(fields.size())},
                          -1, options);
  auto* first = lanes.mutable_data_ptr<std::int64_t>();
  for (std::size_t lane = 0; lane < position.lanes.size(); ++lane) {
    auto* value = first + lane * sources * fields.size();
    for (const CursorPosition& cursor : position.lanes[lane]) {
      for (const auto field : fields) *value++ = cursor.*field;
    }
  }
  return {{row_name, at::full({1}, position.row, options)}, {lanes_name, lanes}};
}

StreamPosition position_from(const std::vector<NamedTensor>& tensors) {
  const Tensor row = find(tensors, row_name, 1).cpu(), lanes = find(tensors, lanes_name, 3).cpu().contiguous();
  if (row.numel() != 1 || lanes.size(2) != static_cast<std::int64_t>(fields.size())) {
    throw Error("the position in the data is not of this version; go on from another checkpoint");
  }
  StreamPosition result{.row = *row.const_data_ptr<std::int64_t>(), .lanes = {}};
  result.lanes.resize(static_cast<std::size_t>(lanes.size(0)));
  const auto* value = lanes.const_data_ptr<std::int64_t>();
  for (auto& lane : result.lanes) {
    for (std::int64_t source = 0; source < lanes.size(1); ++source) {
      CursorPosition cursor;
      for (const auto field : fields) cursor.*field = *value++;
      if (cursor.pass >= 0) lane.push_back(cursor);
    }
  }
  return result;
}

}  // namespace blip3u
