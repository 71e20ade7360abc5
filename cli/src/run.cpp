#include <memory>

#include <fmt/format.h>

#include "eval/report.h"
#include "program.h"

namespace blip3u {

void add_run(CLI::App& app, Program& program) {
  const auto recipe = std::make_shared<RecipeOptions>();
  CLI::App* const verb = app.add_subcommand("run", "Train, evaluate and report what a recipe describes");
  add_recipe_options(*verb, "recipe", *recipe);
  verb->footer("Prints the scores and the run directory. What is done already is not done again.");
  verb->callback([recipe, &program] {
    program.action = [recipe, &program] {
      const auto run = run_recipe(
          program, *recipe, {.directory = {}, .arguments = {}, .evaluate = true, .write_report = eval::write_report});
      print_scores(run, "");
      fmt::print("{}\n", run.string());
      return 0;
    };
  });
}

}  // namespace blip3u
