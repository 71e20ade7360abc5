#include <memory>

#include <fmt/format.h>

#include "eval/compare.h"
#include "program.h"

namespace blip3u {

void add_compare(CLI::App& app, Program& program) {
  const auto runs = std::make_shared<std::vector<std::filesystem::path>>();
  CLI::App* const verb = app.add_subcommand("compare", "Show the scores of several runs side by side");
  verb->add_option("runs", *runs, "Run directories")->type_name("RUN_DIR")->required();
  verb->footer("Prints a table that is also Markdown. Runs that differ only in their seed share a column.");
  verb->callback([runs, &program] {
    program.action = [runs] {
      fmt::print("{}", eval::compare_runs(*runs));
      return 0;
    };
  });
}

}  // namespace blip3u
