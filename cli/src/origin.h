// Where a picture comes from, as its file tells it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "blip3u/tensor.h"
#include "io/png_text.h"
#include "recipe/recipe.h"

namespace blip3u {

struct Origin {
  std::string verb;                   ///< generate, edit or chat
  std::string recipe;                 ///< its name
  std::string run;                    ///< the run directory; empty: the model that comes with the program
  std::string input;                  ///< the picture that `edit` was given
  std::string prompt;                 ///< of generate and edit
  bool reasoning = false;             ///< generate: the model thought in words first
  std::vector<std::string> dialogue;  ///< the lines of chat that led to the picture
  std::uint64_t seed = 0;
  nlohmann::json settings;  ///< of each link of generation: the sampler and the guidance with their parameters
};

/// What is the same for all pictures of a run.
Origin origin_of(const std::string& verb, const std::filesystem::path& run, const Recipe& recipe);

/// Writes a PNG that tells where it comes from.
void write_picture(const std::filesystem::path& file, const Tensor& image, const Origin& origin);

/// What write_picture wrote. Throws Error that names the file if it tells nothing, or something else.
Origin parse_origin(const std::vector<PngText>& texts, const std::string& name);

/// The command that makes the picture again, for a shell.
std::string command_of(const Origin& origin);

/// The text without what a terminal would act upon: control characters are shown as \n, \x1b.
std::string printable(std::string_view text);

/// Refuses before any work a picture that could not be written after it: not .png, or in no folder. `what` names it.
void check_picture_path(const std::filesystem::path& path, const std::string& what);

}  // namespace blip3u
