// What the runner would leave in a run directory.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "../temporary_folder.h"

namespace blip3u::eval {

inline nlohmann::json made_up_score(const std::string& name, double value, bool reference = false) {
  return {{"name", name},        {"protocol", "shapes@2"}, {"value", value},
          {"low", value - 0.02}, {"high", value + 0.02},   {"interval", "wilson"},
          {"count", 400},        {"reference", reference}, {"higher_is_better", true}};
}

inline nlohmann::json made_up_metrics(double seen) {
  return {
      {"format", 1},
      {"tasks",
       {{{"task", "tasks/generation"},
         {"status", "done"},
         {"scores", {made_up_score("generation/seen", seen), made_up_score("generation/seen_shuffled", 0.05, true)}}},
        {{"task", "tasks/vqa"}, {"status", "not applicable"}, {"reason", "there is no <backbone>"}}}},
      {"stages", {{{"name", "encoder"}, {"steps", 600}, {"losses", {{"contrast", 0.25}, {"total", 0.5}}}}}}};
}

}  // namespace blip3u::eval
