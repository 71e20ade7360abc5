#include "data/feature_cache.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/error.h"
#include "blip3u/random.h"
#include "io/files.h"
#include "io/hash.h"
#include "io/say.h"

namespace blip3u {

namespace {

constexpr const char* index_part = "index";
constexpr const char* rows_part = "rows";
constexpr std::size_t most_open = 128;

std::uint64_t key_of(std::string_view id) { return derive_seed(0, id); }

/// Undefined tensors stay so.
Tensor joined(const std::vector<FeatureRow>& rows, Tensor FeatureRow::*field) {
  std::vector<Tensor> parts;
  for (const FeatureRow& row : rows) {
    if ((row.*field).defined()) parts.push_back(row.*field);
  }
  return parts.empty() ? Tensor() : at::cat(parts);
}

bool alike(const Tensor& a, const Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || a.sizes().slice(1) == b.sizes().slice(1));
}

std::int64_t tokens_of(const FeatureRow& row) { return row.x.defined() ? row.x.size(0) : row.codes.size(0); }

}  // namespace

FeatureCache::FeatureCache(std::filesystem::path folder, std::int64_t rows_per_chunk, Warn warn)
    : folder_(std::move(folder)), rows_per_chunk_(rows_per_chunk), warn_(std::move(warn)) {
  if (!warn_) warn_ = say;
  create_folder(folder_);
  const std::string ending = fmt::format("-{}.h5", index_part);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(ending)) names_.push_back(name.substr(0, name.size() - ending.size()));
  }
  std::ranges::sort(names_);
  for (std::int64_t chunk = 0; chunk < pending_chunk(); ++chunk) {
    try {
      read_index(chunk);
    } catch (const Error& error) {
      warn_(fmt::format("{}; its features are computed anew", error.what()));
    }
  }
}

std::filesystem::path FeatureCache::file_of(std::int64_t chunk, const char* part) const {
  return folder_ / fmt::format("{}-{}.h5", names_[static_cast<std::size_t>(chunk)], part);
}

void FeatureCache::read_index(std::int64_t chunk) {
  const ArrayFile file(file_of(chunk, index_part));
  const Tensor ids = file.read("ids"), ends = file.read("ends");
  const auto* end = ends.const_data_ptr<std::int64_t>();
  for (std::int64_t row = 0; row < ids.numel(); ++row) {
    places_[static_cast<std::uint64_t>(ids.const_data_ptr<std::int64_t>()[row])] = {chunk, row};
  }
  chunks_[chunk].ends.assign(end, end + ends.numel());
}

bool FeatureCache::holds(std::string_view id) const { return places_.contains(key_of(id)); }

void FeatureCache::add(std::string_view id, const FeatureRow& row) {
  const bool sound = (row.x.defined() || row.codes.defined()) &&
                     (!row.x.defined() || (row.x.dim() == 2 && row.x.scalar_type() == at::kFloat)) &&
                     (!row.codes.defined() || (row.codes.dim() >= 1 && row.codes.scalar_type() == at::kLong &&
                                               row.codes.size(0) == tokens_of(row)));
  if (!sound) throw Error(fmt::format("features of '{}' are not [N,D] float32 with [N] or [N,R] int64 codes", id));
  if (!pending_.empty() && (!alike(pending_.back().x, row.x) || !alike(pending_.back().codes, row.codes))) {
    throw Error(fmt::format("features of '{}' have another width than those before them", id));
  }
  const std::uint64_t key = key_of(id);
  if (!places_.emplace(key, Place{pending_chunk(), static_cast<std::int64_t>(pending_.size())}).second) {
    throw Error(fmt::format("there are features of '{}' already; give every sample an id of its own", id));
  }
  pending_ids_.push_back(key);
  const auto kept = [](const Tensor& value) { return value.defined() ? value.detach().to(at::kCPU) : value; };
  pending_.push_back({kept(row.x), kept(row.codes)});
  if (static_cast<std::int64_t>(pending_.size()) >= rows_per_chunk_) flush();
}

void FeatureCache::flush() {
  if (pending_.empty()) return;
  std::vector<std::int64_t> ids(pending_ids_.begin(), pending_ids_.end()), ends;
  for (const FeatureRow& row : pending_) ends.push_back((ends.empty() ? 0 : ends.back()) + tokens_of(row));
  std::vector<NamedTensor> arrays;
  for (const auto& [name, field] : {std::pair("x", &FeatureRow::x), std::pair("codes", &FeatureRow::codes)}) {
    if (Tensor values = joined(pending_, field); values.defined()) arrays.push_back({name, std::move(values)});
  }
  const std::int64_t chunk = pending_chunk();
  names_.push_back(sha256_text(fmt::format("{}", fmt::join(ids, " "))).substr(0, 16));
  // The index comes last: it says that the rows are there.
  ArrayFile::write(file_of(chunk, rows_part), arrays);
  ArrayFile::write(file_of(chunk, index_part),
                   {{"ids", at::tensor(ids, at::kLong)}, {"ends", at::tensor(ends, at::kLong)}});
  chunks_[chunk].ends = std::move(ends);
  pending_.clear();
  pending_ids_.clear();
}

/// The rows of a chunk. Not all chunks of a large table can be open at once.
const ArrayFile& FeatureCache::open(std::int64_t number) const {
  Chunk& chunk = chunks_[number];
  if (chunk.file) return *chunk.file;
  chunk.file = std::make_unique<ArrayFile>(file_of(number, rows_part), chunk.sound);
  chunk.sound = true;
  open_.push_back(number);
  if (open_.size() > most_open) {
    chunks_[open_.front()].file.reset();
    open_.pop_front();
  }
  return *chunk.file;
}

FeatureRow FeatureCache::row(std::string_view id) const {
  const auto found = places_.find(key_of(id));
  if (found == places_.end()) throw Error(fmt::format("{}: no features of '{}'", folder_.string(), id));
  const auto [chunk_number, row] = found->second;
  if (chunk_number == pending_chunk()) return pending_[static_cast<std::size_t>(row)];
  try {
    const ArrayFile& file = open(chunk_number);
    const auto& ends = chunks_[chunk_number].ends;
    const std::int64_t first = row == 0 ? 0 : ends[static_cast<std::size_t>(row - 1)];
    const std::int64_t count = ends[static_cast<std::size_t>(row)] - first;
    FeatureRow result;
    if (file.holds("x")) result.x = file.read_rows("x", first, count);
    if (file.holds("codes")) result.codes = file.read_rows("codes", first, count);
    return result;
  } catch (const Error& error) {
    throw Error(fmt::format("{}; delete {} to have its features computed anew", error.what(),
                            file_of(chunk_number, index_part).string()));
  }
}

}  // namespace blip3u
