// Weights on disk, in the safetensors format (https://huggingface.co/docs/safetensors).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "blip3u/export.h"
#include "blip3u/tensor.h"

namespace blip3u {

struct WeightFile {
  std::vector<NamedTensor> tensors;             ///< on the CPU, in the order of the file, whose pages they map
  std::map<std::string, std::string> metadata;  ///< without the entries of the checksum
};

/// Writes a file that appears complete or not at all. Its metadata gets a SHA-256 over every other byte of the file,
/// so that load_safetensors notices any change.
BLIP3U_API void save_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                                 const std::map<std::string, std::string>& metadata = {});

/// Reads a file of this or any other program. Throws Error naming the file if it is truncated, altered or not
/// safetensors. Files of other programs carry no checksum, so that only their structure is checked.
BLIP3U_API WeightFile load_safetensors(const std::filesystem::path& path);

/// Copies the file's tensors into the targets of their names. If a tensor is missing, left over, or of another shape,
/// nothing is copied and one Error lists what differs.
BLIP3U_API void copy_weights(const WeightFile& file, const std::vector<NamedTensor>& targets,
                             const std::string& file_name);

}  // namespace blip3u
