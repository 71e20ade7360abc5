// What the verbs share. Each verb is one file with one function that adds it to the command line.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "registry/registry.h"
#include "running/runner.h"

namespace blip3u {

/// All kinds of components, in the order of a recipe.
inline constexpr Kind kinds[] = {Kind::encoder, Kind::backbone,  Kind::denoiser, Kind::sampler, Kind::guidance,
                                 Kind::decoder, Kind::tokenizer, Kind::dataset,  Kind::task};

/// One call of the program.
struct Program {
  std::vector<std::string> arguments;                 ///< the command line, for manifests
  std::vector<std::filesystem::path> plugin_folders;  ///< from --plugins
  std::function<int()> action;                        ///< what the chosen verb does; returns the exit code
};

/// The toolkit's plugin folders, then those of --plugins.
Registry open_registry(const Program& program);

/// The run directory to use: `given`, or, if that is empty, the run below ./runs that was completed last, or else the
/// model that comes with the program; which it is, is said on standard error. Throws Error if there is none.
std::filesystem::path choose_run(const std::filesystem::path& given);

/// The recipe that a verb works on, with the changes that the command line makes.
struct RecipeOptions {
  std::filesystem::path file;
  std::vector<std::string> overrides;
};

/// Adds the recipe under a name (`recipe`, a place in the line; `--config`, an option), and the overrides after it.
void add_recipe_options(CLI::App& verb, const std::string& name, RecipeOptions& recipe);

/// Loads a recipe and runs it; returns the run directory. The arguments for the manifest are the program's.
std::filesystem::path run_recipe(const Program& program, const RecipeOptions& recipe, RunOptions options);

/// Adds the option --run.
void add_run_option(CLI::App& verb, std::filesystem::path& run);

/// Prints the scores of a run as a table: of the task with this short name, or of all if it is empty.
void print_scores(const std::filesystem::path& run, const std::string& task);

/// The same of scores at hand.
void print_scores(std::span<const Score> scores);

void add_ablate(CLI::App& app, Program& program);
void add_run(CLI::App& app, Program& program);
void add_train(CLI::App& app, Program& program);
void add_infer(CLI::App& app, Program& program);
void add_generate(CLI::App& app, Program& program);
void add_evaluate(CLI::App& app, Program& program);
void add_validate(CLI::App& app, Program& program);
void add_compare(CLI::App& app, Program& program);
void add_schema(CLI::App& app, Program& program);
void add_edit(CLI::App& app, Program& program);
void add_chat(CLI::App& app, Program& program);
void add_inspect(CLI::App& app, Program& program);
void add_plugins(CLI::App& app, Program& program);
void add_plugins_new(CLI::App& plugins, Program& program);
void add_plugins_verify(CLI::App& plugins, Program& program);

}  // namespace blip3u
