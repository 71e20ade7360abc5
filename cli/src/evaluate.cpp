#include <memory>

#include "eval/report.h"
#include "program.h"
#include "running/run_directory.h"
#include "running/runner.h"

namespace blip3u {

void add_evaluate(CLI::App& app, Program& program) {
  struct Options {
    std::string task;
    std::filesystem::path run;
    bool stored = false;
    std::int64_t best_of = 1;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("evaluate", "Score a trained run on one task");
  verb->add_option("--task", options->task, "Task to evaluate, e.g. vqa; `blip3u plugins list` shows all")
      ->type_name("TASK")
      ->required();
  verb->add_option("--checkpoint", options->run, "Run directory with the trained weights")
      ->type_name("DIR")
      ->required();
  CLI::Option* const stored =
      verb->add_flag("--stored", options->stored, "Score the replies of the last time again, without asking the model");
  verb->add_option("--best_of", options->best_of,
                   "Make so many pictures for each and score the one that the model likes best")
      ->check(CLI::Range(1, 1000))
      ->type_name("N")
      ->capture_default_str()
      ->excludes(stored);
  verb->footer(
      "Prints the scores with their 95 % intervals, and adds them to the run directory, but for those of --best_of.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      Registry registry = open_registry(program);
      const std::vector<Score> scores = evaluate_run(options->run, options->task, registry,
                                                     {.directory = {},
                                                      .arguments = program.arguments,
                                                      .stored_replies = options->stored,
                                                      .best_of = options->best_of,
                                                      .write_report = eval::write_report});
      if (options->best_of > 1)
        print_scores(scores);
      else
        print_scores(options->run, options->task);
      return 0;
    };
  });
}

}  // namespace blip3u
