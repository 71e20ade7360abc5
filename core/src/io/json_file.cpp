#include "io/json_file.h"

#include <nlohmann/json.hpp>

#include "io/files.h"

namespace blip3u {

void write_json(const std::filesystem::path& file, const nlohmann::json& value) {
  write_atomically(file, value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace blip3u
