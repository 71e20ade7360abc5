// What lists of pictures say, whatever their format.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "image_folder/report.h"

namespace blip3u::image_folder {

/// What is said of one picture, as a JSON object with the keys of captions.jsonl (see entries.h), and where it stands.
using TakeRecord = std::function<void(const nlohmann::json& record, const std::string& where)>;

/// Whether a file is a list by its name: captions, metadata or labels with .jsonl, .json, .csv, .tsv, or as a table
/// .txt.
bool is_list_by_name(const std::filesystem::path& file);

/// Gives the records of a list: JSON lines, a table with a line of column names, or JSON: an object of captions by
/// file, a list of records, COCO's form or LLaVA's. A `.json` of another name that is none of these is left aside. What
/// is wrong is added to `problems`.
void read_records(const std::filesystem::path& folder, const std::filesystem::path& file, const TakeRecord& take,
                  Problems& problems, Tally& aside);

/// A text of comma-separated (or otherwise separated) values as rows of fields (RFC 4180); without quotes each line is
/// a row.
std::vector<std::vector<std::string>> rows_of(const std::string& text, char separator, bool quotes);

}  // namespace blip3u::image_folder
