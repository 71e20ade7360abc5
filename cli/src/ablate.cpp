#include <memory>

#include <fmt/format.h>

#include "ablating/run_sweep.h"
#include "blip3u/error.h"
#include "eval/ablation.h"
#include "io/say.h"
#include "program.h"

namespace blip3u {

namespace {

struct Options {
  RecipeOptions recipe;
  bool dry_run = false, no_estimate = false;
  std::vector<std::string> only;
  std::size_t limit = 0, jobs = 1;
};

int ablate(const Options& options, const Program& program) {
  Registry registry = open_registry(program);
  const Sweep sweep = load_sweep(options.recipe.file, options.recipe.overrides, registry, program.plugin_folders);
  SweepPlan plan = plan_sweep(sweep);
  std::optional<Estimate> time;
  if (!options.no_estimate && !plan.complete()) time = estimate(sweep, plan);
  say(describe(sweep, plan, time, options.jobs));
  if (options.dry_run) return 0;
  write_sweep(sweep, plan, program.arguments);
  const auto states = run_sweep(sweep, plan,
                                {.program = std::filesystem::read_symlink("/proc/self/exe"),
                                 .arguments = program.arguments,
                                 .only = options.only,
                                 .limit = options.limit > 0 ? std::optional(options.limit) : std::nullopt,
                                 .jobs = options.jobs});
  fmt::print("{}{}\n", eval::judge_sweep(plan.directory), plan.directory.string());
  const auto failed = std::ranges::count(states, "failed", &RunState::status);
  if (failed == 0) return 0;
  say(fmt::format("blip3u: {} of {} runs failed; {} says why. The same command tries them again", failed, states.size(),
                  (plan.directory / "runs.json").string()));
  return static_cast<int>(Fault::runtime);
}

}  // namespace

void add_ablate(CLI::App& app, Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* const verb =
      app.add_subcommand("ablate", "Train and evaluate every point of a recipe's `ablate` section, and judge them");
  add_recipe_options(*verb, "recipe", options->recipe);
  verb->add_flag("--dry_run", options->dry_run, "Show the plan and stop");
  verb->add_flag("--no_estimate", options->no_estimate, "Do not measure how long it will take");
  verb->add_option("--only", options->only,
                   "Make only runs of points with this LABEL, AXIS=LABEL or name; several must all hold")
      ->type_name("LABEL")
      ->allow_extra_args(false);
  verb->add_option("--limit", options->limit, "Make at most so many runs this time")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000));
  verb->add_option("--jobs", options->jobs, "How many runs are made at once, which share the threads")
      ->type_name("N")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->footer(
      "Prints the judgement and the sweep's folder. What is done already is not done again, and an interrupted sweep\n"
      "goes on when the command is given again.");
  verb->callback([options, &program] { program.action = [options, &program] { return ablate(*options, program); }; });
}

}  // namespace blip3u
