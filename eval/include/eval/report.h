// The page that a run leaves for people.
#pragma once

#include <filesystem>

namespace blip3u::eval {

/// Writes report.html into a run directory from what the runner left there: metrics.json, manifest.json, resolved.yaml
/// and, as far as they exist, losses/*.svg, pictures/* and items/*.jsonl. The page needs no other file and no script.
/// Its template is eval/templates/report.html, in share/blip3u/report of the program's folder. Throws Error if a file
/// is missing or damaged.
void write_report(const std::filesystem::path& run_directory);

}  // namespace blip3u::eval
