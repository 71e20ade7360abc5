#include "running/run_directory.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/array_file.h"
#include "io/files.h"
#include "io/hash.h"
#include "io/json_file.h"
#include "report/plot.h"
#include "report/sheet.h"

namespace blip3u {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* run_again = "delete the file and run the recipe again";

// An empty object if there is no such file.
json read_json(const fs::path& file) {
  if (!fs::exists(file)) return json::object();
  json value = json::parse(read_text(file), nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) throw Error(fmt::format("{}: damaged, not a JSON object; {}", file.string(), run_again));
  return value;
}

// Of the whole name, since tasks of two libraries may have one short name. No name of a component has a dot.
std::string file_stem(std::string task) {
  std::ranges::replace(task, '/', '.');
  return task;
}

// The mean over windows of a hundredth of the stage, so that the trend shows.
std::vector<double> smooth(const std::vector<double>& values, std::vector<double>& places) {
  const std::size_t window = std::max<std::size_t>(1, values.size() / 100);
  std::vector<double> result;
  places.clear();
  for (std::size_t first = 0; first < values.size(); first += window) {
    const std::size_t last = std::min(values.size(), first + window);
    double sum = 0;
    for (std::size_t i = first; i < last; ++i) sum += values[i];
    result.push_back(sum / static_cast<double>(last - first));
    places.push_back(0.5 * static_cast<double>(first + last));
  }
  return result;
}

}  // namespace

bool is_complete(const json& manifest, bool evaluated) {
  return manifest.value("status", "") == "complete" && (!evaluated || manifest.value("evaluated", false));
}

fs::path RunDirectory::checkpoint(const std::string& stage) const {
  return path_ / "checkpoints" / (stage + ".safetensors");
}

json RunDirectory::manifest() const { return read_json(path_ / "manifest.json"); }

void RunDirectory::write_manifest(const json& manifest) const { write_json(path_ / "manifest.json", manifest); }

void RunDirectory::write_recipe(const Recipe& recipe) const {
  write_atomically(path_ / "recipe.yaml", recipe.as_written);
  write_atomically(recipe_file(), recipe.resolved);
}

void RunDirectory::write_texts(const Tokenizer& tokenizer, const std::vector<std::string>& classes) const {
  json content = {{"tokenizer", tokenizer.serialize()}, {"classes", classes}};
  const std::string hash = sha256_text(content.dump());
  write_json(path_ / "texts.json", {{"format", 2}, {"sha256", hash}, {"content", std::move(content)}});
}

std::vector<std::string> RunDirectory::read_texts(Tokenizer& tokenizer) const {
  const fs::path file = path_ / "texts.json";
  const json value = read_json(file);
  const json content = value.value("content", json());
  if (value.value("sha256", json()) != json(sha256_text(content.dump()))) {
    throw Error(fmt::format("{}: not the vocabulary of a run, or altered since; {}", file.string(), run_again));
  }
  tokenizer.restore(content.at("tokenizer").get<std::string>());
  return content.at("classes").get<std::vector<std::string>>();
}

void RunDirectory::write_losses(const std::string& stage,
                                const std::map<std::string, std::vector<double>>& losses) const {
  std::vector<Column> columns;
  std::vector<Series> series;
  for (const auto& [name, values] : losses) {
    columns.push_back({name, values});
    if (name == "total" && losses.size() == 2) continue;  // equals the only term
    Series line;
    line.name = name;
    line.y = smooth(values, line.x);
    series.push_back(std::move(line));
  }
  write_series(path_ / "losses" / (stage + ".h5"), columns);
  plot_series(chart_file(stage), "Stage " + stage + ": loss over steps", series, /*log_y=*/true);
}

fs::path RunDirectory::chart_file(const std::string& stage) const { return path_ / "losses" / (stage + ".svg"); }

fs::path RunDirectory::result_file(const std::string& task) const {
  return path_ / "evaluation" / (file_stem(task) + ".json");
}

fs::path RunDirectory::items_file(const std::string& task) const {
  return path_ / "items" / (file_stem(task) + ".jsonl");
}

fs::path RunDirectory::influences_file(const std::string& task) const {
  return path_ / "items" / (file_stem(task) + ".influences.json");
}

Influences RunDirectory::influences(const std::string& task) const {
  const fs::path file = influences_file(task);
  try {
    return read_json(file).value("influences", Influences());
  } catch (const json::exception& error) {
    throw Error(fmt::format("{}: damaged: {}; {}", file.string(), error.what(), run_again));
  }
}

fs::path RunDirectory::replies_folder(const std::string& task) const { return path_ / "replies" / file_stem(task); }

fs::path RunDirectory::sheet_file(const std::string& task) const {
  return path_ / "pictures" / (file_stem(task) + ".png");
}

fs::path RunDirectory::labels_file(const std::string& task) const {
  return path_ / "pictures" / (file_stem(task) + ".json");
}

std::vector<fs::path> RunDirectory::result_files() const {
  std::vector<fs::path> files;
  if (!fs::is_directory(path_ / "evaluation")) return files;
  for (const auto& entry : fs::directory_iterator(path_ / "evaluation")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool RunDirectory::has_metrics() const { return fs::exists(metrics_file()); }

bool RunDirectory::has_result(const std::string& task) const { return fs::exists(result_file(task)); }

void RunDirectory::write_pictures(const std::string& task, const std::vector<LabelledImage>& images) const {
  std::vector<Tensor> pictures;
  for (const LabelledImage& image : images) {
    const Tensor picture = from_bytes(image.image);
    const bool large = picture.size(1) > 256;  // too much for a sheet of hundreds: shown smaller
    pictures.push_back(large ? resize_image(picture, 256) : picture);
  }
  const Sheet sheet = lay_out(pictures, 12);
  json labels = json::array();
  for (std::size_t i = 0; i < sheet.boxes.size(); ++i) {
    const Box& box = sheet.boxes[i];
    labels.push_back(
        {{"label", images[i].label}, {"good", images[i].good}, {"box", {box.x, box.y, box.width, box.height}}});
  }
  write_png(sheet_file(task), sheet.image);
  write_json(labels_file(task), {{"pictures", labels}});
}

std::vector<LabelledImage> RunDirectory::pictures(const std::string& task) const {
  const fs::path file = labels_file(task);
  const json labels = read_json(file);
  std::vector<LabelledImage> images;
  if (labels.empty()) return images;
  const Tensor sheet = read_image(sheet_file(task));
  try {
    for (const json& entry : labels.at("pictures")) {
      const auto [x, y, width, height] = entry.at("box").get<std::array<std::int64_t, 4>>();
      if (std::min({x, y, width, height}) < 0 || x > sheet.size(2) - width || y > sheet.size(1) - height) {
        throw Error(fmt::format("{}: a picture lies beyond its sheet; {}", file.string(), run_again));
      }
      images.push_back({.image = to_bytes(sheet.narrow(1, y, height).narrow(2, x, width)),
                        .label = entry.at("label").get<std::string>(),
                        .good = entry.at("good").get<bool>()});
    }
  } catch (const json::exception& error) {
    throw Error(fmt::format("{}: damaged: {}; {}", file.string(), error.what(), run_again));
  }
  return images;
}

void RunDirectory::write_result(const std::string& task, const TaskResult& result) const {
  std::string lines;
  std::vector<LabelledImage> images;
  for (const ItemRecord& item : result.records) {
    images.insert(images.end(), item.images.begin(), item.images.end());
    lines += json{{"id", item.id},
                  {"input", item.input},
                  {"output", item.output},
                  {"expected", item.expected},
                  {"score", item.score}}
                 .dump(-1, ' ', false, json::error_handler_t::replace) +
             "\n";
  }
  if (!result.records.empty()) write_atomically(items_file(task), lines);
  if (!images.empty()) write_pictures(task, images);
  if (!result.influences.empty()) write_json(influences_file(task), {{"influences", result.influences}});
  json scores = json::array();
  for (const Score& score : result.scores) {
    scores.push_back({{"name", score.name},
                      {"protocol", score.protocol},
                      {"value", score.value},
                      {"low", score.low},
                      {"high", score.high},
                      {"interval", score.interval},
                      {"count", score.count},
                      {"higher_is_better", score.higher_is_better},
                      {"reference", score.reference}});
  }
  write_json(result_file(task), {{"task", task}, {"status", "done"}, {"scores", scores}});  // last: marks it as done
}

void RunDirectory::write_inapplicable(const std::string& task, const std::string& reason) const {
  write_json(result_file(task), {{"task", task}, {"status", "not applicable"}, {"reason", reason}});
}

void RunDirectory::forget_result(const std::string& task) const {
  fs::remove_all(replies_folder(task));
  for (const fs::path& file :
       {items_file(task), influences_file(task), sheet_file(task), labels_file(task), result_file(task)}) {
    fs::remove(file);
  }
}

void RunDirectory::forget_results() const {
  for (const fs::path& file : result_files()) forget_result(file.stem().string());
  fs::remove_all(path_ / "replies");  // also those of an evaluation that was stopped
  for (const fs::path& gathered : {metrics_file(), path_ / "report.html"}) fs::remove(gathered);
}

void RunDirectory::write_metrics(const Recipe& recipe, const json& stages) const {
  json tasks = json::array();
  std::vector<fs::path> files;
  for (const ComponentChoice& task : recipe.evaluation) files.push_back(result_file(task.name));
  for (const fs::path& file : result_files()) {  // also of tasks that the recipe does not name, evaluated by hand
    if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(file);
  }
  for (const fs::path& file : files) {
    if (fs::exists(file)) tasks.push_back(read_json(file));
  }
  write_json(metrics_file(), {{"format", 1}, {"tasks", tasks}, {"stages", stages}});
}

json RunDirectory::metrics() const { return read_json(metrics_file()); }

}  // namespace blip3u
