#include <memory>

#include <fmt/format.h>

#include "ablating/sweep.h"
#include "blip3u/error.h"
#include "io/say.h"
#include "program.h"
#include "recipe/recipe.h"

namespace blip3u {

void add_validate(CLI::App& app, Program& program) {
  const auto recipes = std::make_shared<std::vector<std::filesystem::path>>();
  CLI::App* const verb = app.add_subcommand("validate", "Check recipes without running them");
  verb->add_option("recipes", *recipes, "The recipes, YAML files")->type_name("RECIPE")->required();
  verb->footer("Prints `FILE: ok` for each good recipe and every error of the others.");
  verb->callback([recipes, &program] {
    program.action = [recipes, &program] {
      int code = 0;
      for (const auto& file : *recipes) {
        Registry registry = open_registry(program);  // of its own: a recipe may add plugin folders
        try {
          if (has_sweep(file)) (void)load_sweep(file, {}, registry);
          load_recipe(file, {}, registry);
          fmt::print("{}: ok\n", file.string());
        } catch (const Error& error) {
          say(fmt::format("blip3u: {}", error.what()));
          const bool bad_recipe = error.fault() == Fault::usage;  // which outranks a plugin that does not load
          if (code == 0 || bad_recipe) code = error.exit_code();
        }
      }
      return code;
    };
  });
}

}  // namespace blip3u
