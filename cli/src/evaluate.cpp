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
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("evaluate", "Score a trained run on one task");
  verb->add_option("--task", options->task, "Task to evaluate, e.g. vqa; `blip3u plugins list` shows all")
      ->type_name("TASK")
      ->required();
  verb->add_option("--checkpoint", options->run, "Run directory with the trained weights")
      ->type_name("DIR")
      ->required();
  verb->add_flag("--stored", options->stored, "Score the replies of the last time again, without asking the model");
  verb->footer("Prints the scores with their 95 % intervals, and adds them to the run directory.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      Registry registry = open_registry(program);
      evaluate_run(options->run, options->task, registry,
                   {.directory = {},
                    .arguments = program.arguments,
                    .stored_replies = options->stored,
                    .write_report = eval::write_report});
      print_scores(options->run, options->task);
      return 0;
    };
  });
}

}  // namespace blip3u
