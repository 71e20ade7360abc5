// What decides the outcome of a stage, as a hash.
#pragma once

#include <map>
#include <string>

#include "recipe/recipe.h"

namespace blip3u {

/// Names a stage's outcome by everything that decides it: its own settings, the data, the components that it runs, and
/// the earlier stages that trained one of those. Ask for the stages in order.
class BLIP3U_API StageKeys {
 public:
  /// `device` is the one that `auto` came to.
  StageKeys(const Recipe& recipe, const std::string& data_fingerprint, const std::string& vocabulary,
            const std::string& device);

  std::string next(const Stage& stage);

  /// What decides the results of the whole run.
  std::string run() const;

  /// What decides the features of the encoder in a role after the stages asked for so far.
  std::string features(const std::string& role) const;

 private:
  std::string after(const std::string& role) const;

  const Recipe& recipe_;
  std::string common_;
  std::map<std::string, std::string> trained_by_;  // role -> key of the last stage that trained it
};

/// What a recipe trains, apart from the seed, the device and what the data hold: the same for recipes that can take
/// each other's weights.
BLIP3U_API std::string training_key(Recipe recipe);

}  // namespace blip3u
