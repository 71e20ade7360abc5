#include "io/safetensors.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/hash.h"
#include "weights/safetensors_view.h"

namespace blip3u {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t length_bytes = 8;
constexpr const char* metadata_key = "__metadata__";
// Two entries, so that damage to the name of one does not make the file look like one without a checksum.
constexpr const char* digest_key = "sha256";
constexpr const char* scheme_key = "checksum";
constexpr const char* scheme = "sha256 of the file, its digits set to zero";
const std::string blank_digest(64, '0');

std::string shape_text(const Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ",")); }

std::string_view bytes_of(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// Takes the checksum out of the metadata and compares it.
void check_digest(const SafetensorsView& file, std::map<std::string, std::string>& metadata) {
  const auto digest = metadata.extract(digest_key);
  const auto stated_scheme = metadata.extract(scheme_key);
  if (!digest && !stated_scheme) return;
  const std::size_t place = digest ? file.header().find(digest.mapped()) : std::string_view::npos;
  if (!stated_scheme || stated_scheme.mapped() != scheme || place == std::string_view::npos ||
      digest.mapped().size() != blank_digest.size()) {
    file.fail("damaged", "its checksum is incomplete");
  }
  Sha256 hash;
  hash.update(file.bytes().substr(0, length_bytes + place));
  hash.update(blank_digest);
  hash.update(file.bytes().substr(length_bytes + place + blank_digest.size()));
  if (hash.hex() != digest.mapped()) file.fail("truncated or damaged", "its content does not match its checksum");
}

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
    if (!value.defined() || safetensors_type(value.scalar_type()) == nullptr) {
      throw Error(fmt::format("{}: the tensor '{}' is undefined or of a type that weight files cannot hold",
                              path.string(), name));
    }
    if (header.contains(name)) {
      throw Error(fmt::format("{}: two tensors are called '{}'; give each its own name", path.string(), name));
    }
    held.push_back(value.detach().to(at::kCPU).contiguous());
    const std::size_t end = position + held.back().nbytes();
    header[name] = {{"dtype", safetensors_type(value.scalar_type())},
                    {"shape", value.sizes().vec()},
                    {"data_offsets", {position, end}}};
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

WeightFile load_safetensors(const std::filesystem::path& path) {
  const SafetensorsView file(path, "restore it from a copy, or delete it and train again");
  WeightFile result{{}, file.metadata()};
  check_digest(file, result.metadata);
  for (const auto& entry : file.entries()) result.tensors.push_back({entry.info.name, file.view(entry)});
  return result;
}

void copy_weights(const WeightFile& file, const std::vector<NamedTensor>& targets, const std::string& file_name) {
  std::map<std::string, const Tensor*> sources;
  for (const auto& [name, value] : file.tensors) sources[name] = &value;
  std::vector<std::string> problems;
  std::vector<std::pair<const Tensor*, const Tensor*>> pairs;  // from, to
  for (const auto& [name, target] : targets) {
    const auto source = sources.extract(name);
    if (!source) {
      problems.push_back(fmt::format("{}: missing in the file, {} in the model", name, shape_text(target)));
    } else if (source.mapped()->sizes() != target.sizes()) {
      problems.push_back(
          fmt::format("{}: {} in the file, {} in the model", name, shape_text(*source.mapped()), shape_text(target)));
    } else if (source.mapped()->is_floating_point() != target.is_floating_point()) {
      problems.push_back(fmt::format("{}: {} in the file, {} in the model", name,
                                     safetensors_type(source.mapped()->scalar_type()),
                                     c10::toString(target.scalar_type())));
    } else {
      pairs.emplace_back(source.mapped(), &target);
    }
  }
  for (const auto& [name, value] : sources) {
    problems.push_back(fmt::format("{}: {} in the file, missing in the model", name, shape_text(*value)));
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
