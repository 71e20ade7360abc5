#include "io/installation.h"

namespace blip3u {

std::filesystem::path installation() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
}

std::filesystem::path shipped_run() { return installation() / "share" / "blip3u" / "models" / "scenes"; }

}  // namespace blip3u
