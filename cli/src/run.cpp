#include <memory>

#include <fmt/format.h>

#include "eval/report.h"
#include "program.h"

namespace blip3u {

void add_run(CLI::App& app, Program& program) {
  struct Options {
    RecipeOptions recipe;
    std::filesystem::path weights_from;
    std::string until;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("run", "Train, evaluate and report what a recipe describes");
  add_recipe_options(*verb, "recipe", options->recipe);
  CLI::Option* const weights =
      verb->add_option("--weights_from", options->weights_from,
                       "Train nothing and take the weights of this run, whose recipe trains the same")
          ->type_name("DIR");
  verb->add_option("--until", options->until, "Stop after this stage; the command without it goes on from there")
      ->type_name("STAGE")
      ->excludes(weights);
  verb->footer("Prints the scores and the run directory. What is done already is not done again.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      RunOptions how{.until = options->until, .write_report = eval::write_report};
      if (!options->weights_from.empty()) how.trained = options->weights_from;
      const auto run = run_recipe(program, options->recipe, how);
      if (options->until.empty()) print_scores(run, "");
      fmt::print("{}\n", run.string());
      return 0;
    };
  });
}

}  // namespace blip3u
