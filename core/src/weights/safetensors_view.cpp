#include "weights/safetensors_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <set>
#include <tuple>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"

namespace blip3u {

static_assert(std::endian::native == std::endian::little, "the file format is little-endian, and is used as it is");

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t length_bytes = 8;
constexpr std::size_t largest_header = 100'000'000;  // the limit of the reference implementation
constexpr const char* metadata_key = "__metadata__";

struct TypeName {
  at::ScalarType type;
  const char* name;
};
constexpr TypeName type_names[] = {{at::kFloat, "F32"},
                                   {at::kDouble, "F64"},
                                   {at::kHalf, "F16"},
                                   {at::kBFloat16, "BF16"},
                                   {at::kFloat8_e4m3fn, "F8_E4M3"},
                                   {at::kFloat8_e5m2, "F8_E5M2"},
                                   {at::kLong, "I64"},
                                   {at::kInt, "I32"},
                                   {at::kShort, "I16"},
                                   {at::kChar, "I8"},
                                   {at::kUInt64, "U64"},
                                   {at::kUInt32, "U32"},
                                   {at::kUInt16, "U16"},
                                   {at::kByte, "U8"},
                                   {at::kBool, "BOOL"}};

}  // namespace

const char* safetensors_type(at::ScalarType type) {
  for (const auto& entry : type_names) {
    if (entry.type == type) return entry.name;
  }
  return nullptr;
}

/// A private mapping: pages that are written to are the process's own, the file never changes.
class SafetensorsView::Mapping {
 public:
  explicit Mapping(const std::filesystem::path& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (descriptor < 0 || fstat(descriptor, &status) != 0) refuse(path, descriptor, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) refuse(path, descriptor, "it is no file");
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ > 0) {
      start_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
      if (start_ == MAP_FAILED) refuse(path, descriptor, std::strerror(errno));
    }
    close(descriptor);
  }
  ~Mapping() {
    if (size_ > 0) munmap(start_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(start_), size_}; }

 private:
  [[noreturn]] static void refuse(const std::filesystem::path& path, int descriptor, const std::string& reason) {
    if (descriptor >= 0) close(descriptor);
    throw Error(fmt::format("{}: cannot be opened: {}; check the path", path.string(), reason));
  }

  void* start_ = nullptr;
  std::size_t size_ = 0;
};

/// Reads the header; every complaint names the file.
struct SafetensorsView::Parser {
  const SafetensorsView& file;

  [[noreturn]] void fail_format(const std::string& reason) const {
    throw Error(fmt::format("{}: not a safetensors file, or its header is damaged: {}; {}", file.path_.string(), reason,
                            file.mend_));
  }

  std::uint64_t header_length() const {
    const std::string_view bytes = file.bytes();
    if (bytes.size() < length_bytes) file.fail("truncated", fmt::format("it has only {} bytes", bytes.size()));
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), length_bytes);
    if (length > largest_header) fail_format(fmt::format("its first bytes claim a header of {} bytes", length));
    if (length > bytes.size() - length_bytes) {
      file.fail("truncated", fmt::format("its header needs {} bytes, the whole file has {}", length, bytes.size()));
    }
    return length;
  }

  Json header() const {
    std::set<std::string> names;
    std::string duplicate;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (event == Json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second) {
        duplicate = parsed.get<std::string>();
      }
      return true;
    };
    Json header = Json::parse(file.header_, watch, /*allow_exceptions=*/false);
    if (header.is_discarded() || !header.is_object()) fail_format("the header is not a JSON object");
    if (!duplicate.empty()) file.fail("damaged", fmt::format("it has two tensors called '{}'", duplicate));
    return header;
  }

  std::map<std::string, std::string> metadata(const Json& entries) const {
    std::map<std::string, std::string> result;
    if (!entries.is_object()) fail_format("its metadata is not a JSON object");
    for (const auto& [key, value] : entries.items()) {
      if (!value.is_string()) fail_format(fmt::format("the metadata entry '{}' is not a string", key));
      result[key] = value.get<std::string>();
    }
    return result;
  }

  Entry entry(const std::string& name, const Json& json) const {
    const auto is_list = [&](const char* key) { return json.contains(key) && json[key].is_array(); };
    if (!json.is_object() || !json.contains("dtype") || !json["dtype"].is_string() || !is_list("shape") ||
        !is_list("data_offsets") || json["data_offsets"].size() != 2 || !json["data_offsets"][0].is_number_unsigned() ||
        !json["data_offsets"][1].is_number_unsigned()) {
      fail_format(fmt::format("the entry '{}' is not a tensor's type, shape and place", name));
    }
    const auto begin = json["data_offsets"][0].get<std::size_t>(), end = json["data_offsets"][1].get<std::size_t>();
    if (begin > end) file.fail("damaged", fmt::format("the data of '{}' ends before it begins", name));
    if (end > file.data_.size()) {
      file.fail("truncated or damaged",
                fmt::format("the data of '{}' ends at byte {} of {}", name, end, file.data_.size()));
    }
    Entry result{{name, {}, {}}, begin, end - begin};
    check_type(json["dtype"].get<std::string>(), result);
    check_shape(json["shape"], result);
    return result;
  }

  void check_type(const std::string& stated, Entry& entry) const {
    const auto* const known = std::find_if(std::begin(type_names), std::end(type_names),
                                           [&](const TypeName& candidate) { return stated == candidate.name; });
    if (known == std::end(type_names)) {
      throw Error(fmt::format("{}: the tensor '{}' has type {}, which is not supported; convert it to F32",
                              file.path_.string(), entry.info.name, stated));
    }
    entry.info.dtype = known->type;
  }

  /// LibTorch counts with extents in signed 64 bits also where another extent is 0, so none may overflow then either.
  void check_shape(const Json& shape, Entry& entry) const {
    std::int64_t most = static_cast<std::int64_t>(c10::elementSize(entry.info.dtype));
    bool empty = false;
    for (const auto& extent : shape) {
      if (!extent.is_number_unsigned()) {
        fail_format(fmt::format("the shape of '{}' is not a list of numbers", entry.info.name));
      }
      const auto count = extent.get<std::uint64_t>();
      if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ||
          __builtin_mul_overflow(most, std::max<std::int64_t>(1, static_cast<std::int64_t>(count)), &most)) {
        file.fail("damaged", fmt::format("the shape of '{}' is beyond all size", entry.info.name));
      }
      empty = empty || count == 0;
      entry.info.shape.push_back(static_cast<std::int64_t>(count));
    }
    const std::size_t needed = empty ? 0 : static_cast<std::size_t>(most);
    if (needed != entry.bytes) {
      file.fail("damaged",
                fmt::format("'{}' of shape [{}] and type {} needs {} bytes but has {}", entry.info.name,
                            fmt::join(entry.info.shape, ","), safetensors_type(entry.info.dtype), needed, entry.bytes));
    }
  }
};

SafetensorsView::SafetensorsView(std::filesystem::path path, std::string mend)
    : path_(std::move(path)), mend_(std::move(mend)), mapping_(std::make_shared<Mapping>(path_)) {
  const Parser parser{*this};
  const std::uint64_t length = parser.header_length();
  header_ = bytes().substr(length_bytes, length);
  data_ = bytes().substr(length_bytes + length);
  const Json header = parser.header();
  for (const auto& [name, entry] : header.items()) {
    if (name == metadata_key) {
      metadata_ = parser.metadata(entry);
    } else {
      entries_.push_back(parser.entry(name, entry));
    }
  }
  // Empty tensors come before the one at the same place.
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.offset, a.bytes, a.info.name) < std::tie(b.offset, b.bytes, b.info.name);
  });
  std::size_t position = 0;  // tensors must fill the data section without gaps, in any order in the header
  for (const Entry& entry : entries_) {
    if (entry.offset != position) {
      fail("damaged", fmt::format("the data of '{}' leaves a gap or overlaps another's", entry.info.name));
    }
    position += entry.bytes;
  }
  if (position != data_.size())
    fail("damaged", fmt::format("{} bytes follow the last tensor", data_.size() - position));
}

std::string_view SafetensorsView::bytes() const { return mapping_->bytes(); }

void SafetensorsView::fail(std::string_view state, const std::string& reason) const {
  throw Error(fmt::format("{}: the weight file is {}: {}; {}", path_.string(), state, reason, mend_));
}

Tensor SafetensorsView::view(const Entry& entry) const {
  const auto options = at::TensorOptions(at::kCPU).dtype(entry.info.dtype);
  const std::string_view bytes = data_.substr(entry.offset, entry.bytes);
  if (entry.info.dtype == at::kBool && bytes.find_first_not_of(std::string_view("\0\1", 2)) != std::string_view::npos) {
    fail("damaged", fmt::format("'{}' holds truth values other than 0 and 1", entry.info.name));
  }
  const auto unaligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % c10::elementSize(entry.info.dtype);
  if (entry.bytes == 0 || unaligned != 0) {
    // Contiguous is the default. Left out, LibTorch branches on bytes that nobody set, though without effect
    // (valgrind).
    Tensor copy = at::empty(entry.info.shape, options, at::MemoryFormat::Contiguous);
    if (entry.bytes > 0) std::memcpy(copy.data_ptr(), bytes.data(), entry.bytes);
    return copy;
  }
  return at::from_blob(
      const_cast<char*>(bytes.data()), entry.info.shape, [mapping = mapping_](void*) {}, options);
}

}  // namespace blip3u
