#include "io/safetensors.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/hash.h"

namespace blip3u {

static_assert(std::endian::native == std::endian::little, "the file format is little-endian, and is copied as it is");

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t length_bytes = 8;
constexpr std::size_t largest_header = 100'000'000;  // the limit of the reference implementation
constexpr const char* metadata_key = "__metadata__";
// Two entries, so that damage to the name of one does not make the file look like one without a checksum.
constexpr const char* digest_key = "sha256";
constexpr const char* scheme_key = "checksum";
constexpr const char* scheme = "sha256 of the file, its digits set to zero";
const std::string blank_digest(64, '0');

struct TypeName {
  at::ScalarType type;
  const char* name;
};
constexpr TypeName type_names[] = {{at::kFloat, "F32"},     {at::kDouble, "F64"}, {at::kHalf, "F16"},
                                   {at::kBFloat16, "BF16"}, {at::kLong, "I64"},   {at::kInt, "I32"},
                                   {at::kByte, "U8"},       {at::kBool, "BOOL"}};

const char* name_of(at::ScalarType type) {
  for (const auto& entry : type_names) {
    if (entry.type == type) return entry.name;
  }
  return nullptr;
}

std::string shape_text(const Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ",")); }

std::string_view bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// Reads one file's text; every complaint names the file.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path), content_(read_text(path)) {}

  WeightFile read() {
    const Json header = parse_header();
    WeightFile result;
    if (const auto found = header.find(metadata_key); found != header.end()) result.metadata = read_metadata(*found);
    check_digest(result.metadata);
    std::size_t position = 0;  // tensors must fill the data section without gaps, in any order in the header
    for (const auto& [offset, name] : order_of(header)) {
      if (offset != position) fail("damaged", fmt::format("the data of '{}' leaves a gap or overlaps another's", name));
      result.tensors.push_back({name, read_tensor(name, header[name], position)});
    }
    if (position != data_.size()) {
      fail("damaged", fmt::format("{} bytes follow the last tensor", data_.size() - position));
    }
    return result;
  }

 private:
  [[noreturn]] void fail(const char* state, const std::string& reason) const {
    throw Error(fmt::format("{}: the weight file is {}: {}; restore it from a copy, or delete it and train again",
                            path_.string(), state, reason));
  }
  [[noreturn]] void fail_format(const std::string& reason) const {
    throw Error(
        fmt::format("{}: not a safetensors file, or its header is damaged: {}; restore it from a copy, or delete it "
                    "and train again",
                    path_.string(), reason));
  }

  Json parse_header() {
    if (content_.size() < length_bytes) fail("truncated", fmt::format("it has only {} bytes", content_.size()));
    std::uint64_t length = 0;
    std::memcpy(&length, content_.data(), length_bytes);
    if (length > largest_header) fail_format(fmt::format("its first bytes claim a header of {} bytes", length));
    if (length > content_.size() - length_bytes) {
      fail("truncated", fmt::format("its header needs {} bytes, the whole file has {}", length, content_.size()));
    }
    header_ = std::string_view(content_).substr(length_bytes, length);
    data_ = std::string_view(content_).substr(length_bytes + length);
    std::set<std::string> names;
    std::string duplicate;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second) {
        duplicate = parsed.get<std::string>();
      }
      return true;
    };
    Json header = Json::parse(header_, watch, /*allow_exceptions=*/false);
    if (header.is_discarded() || !header.is_object()) fail_format("the header is not a JSON object");
    if (!duplicate.empty()) fail("damaged", fmt::format("it has two tensors called '{}'", duplicate));
    return header;
  }

  std::map<std::string, std::string> read_metadata(const Json& entries) const {
    std::map<std::string, std::string> result;
    if (!entries.is_object()) fail_format("its metadata is not a JSON object");
    for (const auto& [key, value] : entries.items()) {
      if (!value.is_string()) fail_format(fmt::format("the metadata entry '{}' is not a string", key));
      result[key] = value.get<std::string>();
    }
    return result;
  }

  /// Takes the checksum out of the metadata and compares it.
  void check_digest(std::map<std::string, std::string>& metadata) const {
    const auto digest = metadata.extract(digest_key);
    const auto stated_scheme = metadata.extract(scheme_key);
    if (!digest && !stated_scheme) return;
    const std::size_t place = digest ? header_.find(digest.mapped()) : std::string_view::npos;
    if (!stated_scheme || stated_scheme.mapped() != scheme || place == std::string_view::npos ||
        digest.mapped().size() != blank_digest.size()) {
      fail("damaged", "its checksum is incomplete");
    }
    Sha256 hash;
    hash.update(std::string_view(content_).substr(0, length_bytes + place));
    hash.update(blank_digest);
    hash.update(std::string_view(content_).substr(length_bytes + place + blank_digest.size()));
    if (hash.hex() != digest.mapped()) {
      fail("truncated or damaged", "its content does not match its checksum");
    }
  }

  /// The tensors' names by the place of their data. Empty tensors come before the one at the same place.
  std::vector<std::pair<std::size_t, std::string>> order_of(const Json& header) const {
    std::vector<std::tuple<std::size_t, std::size_t, std::string>> places;
    for (const auto& [name, entry] : header.items()) {
      if (name == metadata_key) continue;
      if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() || !entry.contains("shape") ||
          !entry["shape"].is_array() || !entry.contains("data_offsets") || !entry["data_offsets"].is_array() ||
          entry["data_offsets"].size() != 2 || !entry["data_offsets"][0].is_number_unsigned() ||
          !entry["data_offsets"][1].is_number_unsigned()) {
        fail_format(fmt::format("the entry '{}' is not a tensor's type, shape and place", name));
      }
      const auto begin = entry["data_offsets"][0].get<std::size_t>();
      const auto end = entry["data_offsets"][1].get<std::size_t>();
      if (begin > end) fail("damaged", fmt::format("the data of '{}' ends before it begins", name));
      if (end > data_.size()) {
        fail("truncated or damaged", fmt::format("the data of '{}' ends at byte {} of {}", name, end, data_.size()));
      }
      places.emplace_back(begin, end, name);
    }
    std::sort(places.begin(), places.end());
    std::vector<std::pair<std::size_t, std::string>> result;
    result.reserve(places.size());
    for (auto& [begin, end, name] : places) result.emplace_back(begin, std::move(name));
    return result;
  }

  /// Reads the tensor at `position` and moves the position to its end.
  Tensor read_tensor(const std::string& name, const Json& entry, std::size_t& position) const {
    const auto type_name = entry["dtype"].get<std::string>();
    const auto* const known = std::find_if(std::begin(type_names), std::end(type_names),
                                           [&](const TypeName& candidate) { return type_name == candidate.name; });
    if (known == std::end(type_names)) {
      throw Error(fmt::format("{}: the tensor '{}' has type {}, which is not supported; convert it to F32",
                              path_.string(), name, type_name));
    }
    const std::size_t size = entry["data_offsets"][1].get<std::size_t>() - position;
    std::vector<std::int64_t> shape;
    std::size_t expected = c10::elementSize(known->type);
    for (const auto& extent : entry["shape"]) {
      if (!extent.is_number_unsigned()) fail_format(fmt::format("the shape of '{}' is not a list of numbers", name));
      const auto count = extent.get<std::size_t>();
      if (count > static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()) ||
          __builtin_mul_overflow(expected, count, &expected)) {
        fail("damaged", fmt::format("the shape of '{}' is beyond all size", name));
      }
      shape.push_back(static_cast<std::int64_t>(count));
    }
    if (expected != size) {
      fail("damaged", fmt::format("'{}' of shape [{}] and type {} needs {} bytes but has {}", name,
                                  fmt::join(shape, ","), type_name, expected, size));
    }
    const std::string_view bytes = data_.substr(position, size);
    if (known->type == at::kBool && bytes.find_first_not_of(std::string_view("\0\1", 2)) != std::string_view::npos) {
      fail("damaged", fmt::format("'{}' holds truth values other than 0 and 1", name));
    }
    // Contiguous is the default. Left out, LibTorch branches on bytes that nobody set, though without effect
    // (valgrind).
    Tensor tensor = at::empty(shape, at::TensorOptions(at::kCPU).dtype(known->type), at::MemoryFormat::Contiguous);
    if (size > 0) std::memcpy(tensor.data_ptr(), bytes.data(), size);
    position += size;
    return tensor;
  }

  std::filesystem::path path_;
  std::string content_;
  std::string_view header_, data_;
};

}  // namespace

void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  Json entries = Json::object();
  for (const auto& [key, value] : metadata) entries[key] = value;
  entries[scheme_key] = scheme;
  entries[digest_key] = blank_digest;
  Json header = Json::object();
  header[metadata_key] = std::move(entries);

  std::vector<Tensor> held;  // keeps the bytes alive until they are written
  std::size_t position = 0;
  for (const auto& [name, value] : tensors) {
    if (!value.defined() || name_of(value.scalar_type()) == nullptr) {
      throw Error(fmt::format("{}: the tensor '{}' is undefined or of a type that weight files cannot hold",
                              path.string(), name));
    }
    if (header.contains(name)) {
      throw Error(fmt::format("{}: two tensors are called '{}'; give each its own name", path.string(), name));
    }
    held.push_back(value.detach().to(at::kCPU).contiguous());
    const std::size_t end = position + held.back().nbytes();
    header[name] = {
        {"dtype", name_of(value.scalar_type())}, {"shape", value.sizes().vec()}, {"data_offsets", {position, end}}};
    position = end;
  }

  std::string head(length_bytes, '\0');
  head += header.dump(-1, ' ', false, Json::error_handler_t::replace);
  head.resize((head.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = head.size() - length_bytes;
  std::memcpy(head.data(), &length, length_bytes);

  Sha256 hash;
  hash.update(head);
  for (const Tensor& tensor : held) hash.update(bytes_of(tensor));
  const std::string field = fmt::format("\"{}\":\"", digest_key);
  head.replace(head.rfind(field + blank_digest, head.find("\"dtype\":\"")) + field.size(), blank_digest.size(),
               hash.hex());

  std::vector<std::string_view> parts{head};
  for (const Tensor& tensor : held) parts.push_back(bytes_of(tensor));
  write_atomically(path, parts);
}

WeightFile load_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

void copy_weights(const WeightFile& file, const std::string& prefix, const std::vector<NamedTensor>& targets,
                  const std::string& file_name) {
  std::map<std::string, const Tensor*> sources;
  for (const auto& [name, value] : file.tensors) {
    if (name.starts_with(prefix)) sources[name.substr(prefix.size())] = &value;
  }
  std::vector<std::string> problems;
  std::vector<std::pair<const Tensor*, const Tensor*>> pairs;  // from, to
  for (const auto& [name, target] : targets) {
    const auto source = sources.extract(name);
    if (!source) {
      problems.push_back(fmt::format("{}{}: missing in the file, {} in the model", prefix, name, shape_text(target)));
    } else if (source.mapped()->sizes() != target.sizes()) {
      problems.push_back(fmt::format("{}{}: {} in the file, {} in the model", prefix, name,
                                     shape_text(*source.mapped()), shape_text(target)));
    } else if (source.mapped()->is_floating_point() != target.is_floating_point()) {
      problems.push_back(fmt::format("{}{}: {} in the file, {} in the model", prefix, name,
                                     name_of(source.mapped()->scalar_type()), c10::toString(target.scalar_type())));
    } else {
      pairs.emplace_back(source.mapped(), &target);
    }
  }
  for (const auto& [name, value] : sources) {
    problems.push_back(fmt::format("{}{}: {} in the file, missing in the model", prefix, name, shape_text(*value)));
  }
  if (!problems.empty()) {
    constexpr std::size_t shown = 5;
    const std::size_t count = problems.size();
    if (count > shown) {
      problems.resize(shown);
      problems.push_back(fmt::format("and {} more", count - shown));
    }
    throw Error(fmt::format(
        "{}: the checkpoint is from another architecture; use the recipe that it was made with, or train anew:\n  {}",
        file_name, fmt::join(problems, "\n  ")));
  }
  const at::NoGradGuard no_grad;
  for (const auto& [from, to] : pairs) Tensor(*to).copy_(*from);
}

}  // namespace blip3u
