#include "eval/ablation.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ablation_data.h"
#include "blip3u/image.h"
#include "html.h"
#include "io/base64.h"
#include "io/files.h"
#include "io/json_file.h"
#include "io/progress.h"
#include "running/run_directory.h"

namespace blip3u::eval {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct Judgement {
  std::vector<Estimated> differences, effects;
};

Judgement judged(const SweepData& sweep) {
  std::vector<ScoreTable> scores;
  for (const std::string& name : sweep.judged) {
    const auto table = std::ranges::find(sweep.scores, name, &ScoreTable::name);
    if (table != sweep.scores.end()) scores.push_back(*table);
  }
  const auto judge_all = [&](const std::vector<Contrast>& contrasts) {
    std::vector<Estimated> all = judge(scores, contrasts, /*one_training=*/!sweep.weights_from.empty());
    for (Estimated& one : all) one.smallest = smallest_effect(one);
    return all;
  };
  return {judge_all(differences(sweep.points)), judge_all(effects(sweep.axes, sweep.labels))};
}

/// A number, or null where it is not finite.
json finite(double value) { return std::isfinite(value) ? json(value) : json(); }

json to_json(const std::vector<Estimated>& all) {
  json list = json::array();
  for (const Estimated& one : all) {
    list.push_back({{"score", one.score},
                    {"name", one.name},
                    {"difference", one.value},
                    {"low", one.interval.low},
                    {"high", one.interval.high},
                    {"p", one.p},
                    {"p_holm", one.corrected},
                    {"degrees_of_freedom", one.degrees},
                    {"seeds", one.seeds},
                    {"smallest_effect", finite(one.smallest)},
                    {"verdict", verdict_text(one.verdict)},
                    {"remark", one.remark}});
  }
  return list;
}

/// A field of a CSV file (RFC 4180).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string judgement_csv(const Judgement& judgement) {
  std::string text =
      "kind,score,name,difference,low,high,p,p_holm,degrees_of_freedom,seeds,smallest_effect,verdict,remark\n";
  const auto add = [&](const char* kind, const std::vector<Estimated>& all) {
    for (const Estimated& one : all) {
      text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", kind, field(one.score), field(one.name),
                          one.value, one.interval.low, one.interval.high, one.p, one.corrected, one.degrees, one.seeds,
                          one.smallest, verdict_text(one.verdict), field(one.remark));
    }
  };
  add("point", judgement.differences);
  add("effect", judgement.effects);
  return text;
}

std::string scores_csv(const SweepData& sweep) {
  std::string text = "point,seed,score,value,run\n";
  for (const SweepRun& run : sweep.runs) {
    for (const ScoreTable& table : sweep.scores) {
      const auto& observation = table.observations[run.point][run.seed];
      if (!observation) continue;
      text += fmt::format("{},{},{},{},{}\n", field(sweep.points[run.point]), sweep.seeds[run.seed], field(table.name),
                          observation->value, field(run.directory.string()));
    }
  }
  return text;
}

double mean_of(const SweepData& sweep, const std::string& score, std::size_t point) {
  double sum = 0, count = 0;
  const auto table = std::ranges::find(sweep.scores, score, &ScoreTable::name);
  if (table == sweep.scores.end()) return std::nan("");
  for (const auto& observation : table->observations[point]) {
    if (!observation) continue;
    sum += observation->value;
    count += 1;
  }
  return sum / count;  // not a number where there is none
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.3f}", value) : "–"; }
std::string signed_number(double value) { return std::isfinite(value) ? fmt::format("{:+.3f}", value) : "–"; }

std::string text_of(const SweepData& sweep, const Judgement& judgement) {
  std::string text;
  for (const std::string& score : sweep.judged) {
    text += fmt::format("{}: baseline {} has {}\n", score, sweep.points.front(), number(mean_of(sweep, score, 0)));
    const auto add = [&](const std::vector<Estimated>& all) {
      for (const Estimated& one : all) {
        if (one.score != score) continue;
        text += fmt::format("  {}: {} [{}, {}], Holm p {:.3f}: {}{}\n", one.name, signed_number(one.value),
                            signed_number(one.interval.low), signed_number(one.interval.high), one.corrected,
                            verdict_text(one.verdict), one.remark.empty() ? "" : " (" + one.remark + ")");
      }
    };
    add(judgement.differences);
    if (sweep.axes.size() < 2) continue;
    text += "  effects of single labels and of pairs, as means over the others:\n";
    add(judgement.effects);
  }
  return text;
}

// Each function below gives one part of the values that eval/templates/ablation.html shows.

/// Points with bars on an axis that all estimates of one score share and that has zero in it.
json bars(const std::vector<Estimated>& all, const std::string& score) {
  double least = 0, most = 0;
  for (const Estimated& one : all) {
    if (one.score != score || one.degrees <= 0) continue;
    least = std::min(least, one.interval.low);
    most = std::max(most, one.interval.high);
  }
  if (most <= least) most = least + 1;
  const auto x = [&](double value) { return 4 + 192 * (std::clamp(value, least, most) - least) / (most - least); };
  json rows = json::array();
  for (const Estimated& one : all) {
    if (one.score != score) continue;
    rows.push_back({{"name", one.name},
                    {"value", signed_number(one.value)},
                    {"low", signed_number(one.interval.low)},
                    {"high", signed_number(one.interval.high)},
                    {"p", fmt::format("{:.3f}", one.corrected)},
                    {"smallest", number(one.smallest)},
                    {"verdict", verdict_text(one.verdict)},
                    {"better", one.verdict == Verdict::better},
                    {"worse", one.verdict == Verdict::worse},
                    {"remark", one.remark},
                    {"zero_x", fmt::format("{:.1f}", x(0))},
                    {"band_x", fmt::format("{:.1f}", x(one.interval.low))},
                    {"band_width", fmt::format("{:.1f}", std::max(1.0, x(one.interval.high) - x(one.interval.low)))},
                    {"dot_x", fmt::format("{:.1f}", x(one.value) - 1.5)}});
  }
  return rows;
}

json points_values(const SweepData& sweep, const std::string& score) {
  json rows = json::array();
  for (std::size_t point = 0; point < sweep.points.size(); ++point) {
    double seconds = 0, count = 0;
    for (const SweepRun& run : sweep.runs) {
      if (run.point != point || run.status != "complete") continue;
      seconds += run.seconds;
      count += 1;
    }
    rows.push_back({{"name", sweep.points[point]},
                    {"value", number(mean_of(sweep, score, point))},
                    {"runs", static_cast<int>(count)},
                    {"time", count > 0 ? duration_text(seconds / count) : "–"}});
  }
  return rows;
}

/// The first pictures of each task in every point, of the first seed: the same prompts and the same noise.
json wall(const SweepData& sweep) {
  constexpr std::size_t most = 8;
  json tasks = json::array();
  for (const std::string& task : sweep.tasks) {
    json rows = json::array();
    for (const SweepRun& run : sweep.runs) {
      if (run.seed != 0 || run.status != "complete") continue;
      json pictures = json::array();
      for (const LabelledImage& image : RunDirectory(run.directory).pictures(task)) {
        if (pictures.size() == most) break;
        pictures.push_back(
            {{"label", image.label}, {"good", image.good}, {"png", base64(encode_png(from_bytes(image.image)))}});
      }
      if (!pictures.empty()) rows.push_back({{"name", sweep.points[run.point]}, {"pictures", pictures}});
    }
    if (!rows.empty()) tasks.push_back({{"task", task}, {"rows", rows}});
  }
  return tasks;
}

/// What each point's resolved recipe has other than the baseline's, line by line.
json recipe_diffs(const SweepData& sweep) {
  const auto lines_of = [](const fs::path& file) {
    std::vector<std::string> lines;
    const std::string text = fs::exists(file) ? read_text(file) : "";
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  };
  json diffs = json::array();
  if (sweep.runs.empty()) return diffs;
  const auto first = lines_of(sweep.runs.front().recipe);
  for (const SweepRun& run : sweep.runs) {
    if (run.seed != 0 || run.point == 0) continue;
    const auto other = lines_of(run.recipe);
    // The longest common subsequence; recipes have some hundred lines.
    std::vector<std::vector<int>> common(first.size() + 1, std::vector<int>(other.size() + 1, 0));
    for (std::size_t i = first.size(); i-- > 0;) {
      for (std::size_t j = other.size(); j-- > 0;) {
        common[i][j] = first[i] == other[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
      }
    }
    std::string text;
    for (std::size_t i = 0, j = 0; i < first.size() || j < other.size();) {
      if (i < first.size() && j < other.size() && first[i] == other[j]) {
        ++i;
        ++j;
      } else if (j == other.size() || (i < first.size() && common[i + 1][j] >= common[i][j + 1])) {
        text += "- " + first[i++] + "\n";
      } else {
        text += "+ " + other[j++] + "\n";
      }
    }
    diffs.push_back({{"name", sweep.points[run.point]}, {"text", text}});
  }
  return diffs;
}

json commands(const SweepData& sweep) {
  json list = json::array();
  for (const SweepRun& run : sweep.runs) {
    const std::string weights =
        sweep.weights_from.empty() ? "" : fmt::format(" --weights_from {}", sweep.weights_from.string());
    list.push_back({{"name", fmt::format("{}, seed {}", sweep.points[run.point], sweep.seeds[run.seed])},
                    {"command", fmt::format("blip3u run '{}'{}", run.recipe.string(), weights)},
                    {"status", run.status},
                    {"message", run.message}});
  }
  return list;
}

void write_page(const fs::path& folder, const SweepData& sweep, const Judgement& judgement) {
  json scores = json::array(), left_out = json::array();
  for (const std::string& score : sweep.judged) {
    json tables = {{{"title", "Against the baseline"},
                    {"heading", "point less the baseline"},
                    {"rows", bars(judgement.differences, score)}}};
    if (sweep.axes.size() > 1) {
      tables.push_back({{"title", "Effects, as means over the other axes"},
                        {"heading", "label, or two labels together"},
                        {"rows", bars(judgement.effects, score)}});
    }
    scores.push_back({{"score", score}, {"points", points_values(sweep, score)}, {"tables", tables}});
  }
  for (const auto& [name, reason] : sweep.left_out) left_out.push_back({{"name", name}, {"reason", reason}});
  const json pictures = wall(sweep), diffs = recipe_diffs(sweep);
  const json values = {{"name", sweep.name},
                       {"design", sweep.design},
                       {"points", sweep.points.size()},
                       {"seeds", sweep.seeds.size()},
                       {"complete", std::ranges::count(sweep.runs, "complete", &SweepRun::status)},
                       {"runs", sweep.runs.size()},
                       {"baseline", sweep.points.front()},
                       {"weights_from", sweep.weights_from.string()},
                       {"has_left_out", !left_out.empty()},
                       {"left_out", left_out},
                       {"scores", scores},
                       {"has_wall", !pictures.empty()},
                       {"wall", pictures},
                       {"diffs", diffs},
                       {"commands", commands(sweep)}};
  write_atomically(folder / "report.html", html::page("ablation", values));
}

}  // namespace

std::string judge_sweep(const fs::path& folder) {
  const SweepData sweep = read_sweep(folder);
  const Judgement judgement = judged(sweep);
  const json record = {{"format", 1},
                       {"baseline", sweep.points.front()},
                       {"points", to_json(judgement.differences)},
                       {"effects", to_json(judgement.effects)}};
  write_json(folder / "judgement.json", record);
  write_atomically(folder / "judgement.csv", judgement_csv(judgement));
  write_atomically(folder / "scores.csv", scores_csv(sweep));
  write_page(folder, sweep, judgement);
  return text_of(sweep, judgement);
}

}  // namespace blip3u::eval
