// The files of a run directory that are not weights. docs/run-directory.md describes them for readers.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "blip3u/task.h"
#include "blip3u/tokenizer.h"
#include "evaluating/evaluate.h"
#include "recipe/recipe.h"

namespace blip3u {

/// Whether a manifest says that the run came to its end, and was evaluated if that is asked for.
BLIP3U_API bool is_complete(const nlohmann::json& manifest, bool evaluated);

class BLIP3U_API RunDirectory {
 public:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path recipe_file() const { return path_ / "resolved.yaml"; }
  std::filesystem::path checkpoint(const std::string& stage) const;

  /// The manifest; an empty object if there is none. Throws Error if it is damaged.
  nlohmann::json manifest() const;
  void write_manifest(const nlohmann::json& manifest) const;

  void write_recipe(const Recipe& recipe) const;

  /// What inference needs besides weights: the tokenizer's vocabulary and the names of the classes.
  void write_texts(const Tokenizer& tokenizer, const std::vector<std::string>& classes) const;
  std::vector<std::string> read_texts(Tokenizer& tokenizer) const;  ///< returns the classes

  /// Losses of a stage, as numbers (HDF5) and as a chart (SVG).
  void write_losses(const std::string& stage, const std::map<std::string, std::vector<double>>& losses) const;
  std::filesystem::path chart_file(const std::string& stage) const;

  /// A task's outcome: evaluation/LIBRARY.NAME.json, its items and its pictures.
  bool has_result(const std::string& task) const;
  std::filesystem::path items_file(const std::string& task) const;
  Influences influences(const std::string& task) const;  ///< of the result; none if it is older than they are
  std::filesystem::path replies_folder(const std::string& task) const;  ///< of the model's replies to its items
  void write_result(const std::string& task, const TaskResult& result) const;
  std::vector<LabelledImage> pictures(const std::string& task) const;  ///< of the result; none if it has none
  void write_inapplicable(const std::string& task, const std::string& reason) const;

  void forget_result(const std::string& task) const;  ///< and the replies
  void forget_results() const;                        ///< of all tasks, and what was made of them

  /// Gathers evaluation/*.json, in the recipe's order, and the stages' last losses into metrics.json.
  void write_metrics(const Recipe& recipe, const nlohmann::json& stages) const;
  bool has_metrics() const;
  nlohmann::json metrics() const;  ///< an empty object if there are none

 private:
  std::filesystem::path result_file(const std::string& task) const;
  std::filesystem::path sheet_file(const std::string& task) const;
  std::filesystem::path labels_file(const std::string& task) const;
  std::filesystem::path influences_file(const std::string& task) const;
  void write_pictures(const std::string& task, const std::vector<LabelledImage>& images) const;
  std::filesystem::path metrics_file() const { return path_ / "metrics.json"; }
  std::vector<std::filesystem::path> result_files() const;  ///< those that are there
  std::filesystem::path path_;
};

}  // namespace blip3u
