#include <memory>

#include "pictures.h"
#include "program.h"

namespace blip3u {

void add_generate(CLI::App& app, Program& program) {
  const auto options = std::make_shared<PictureOptions>();
  CLI::App* const verb = app.add_subcommand("generate", "Make images from a prompt");
  add_picture_options(*verb, *options, "What the image shows");
  verb->add_flag(
      "--reasoning", options->reasoning,
      "Let the model think in words before it draws; they go to standard error. For models that learned to do\n"
      "so under the system message `think`");
  CLI::Option* const best_of =
      verb->add_option("--best_of", options->best_of,
                       "Make so many for each image and keep the one that the model likes best; image i then has the\n"
                       "best seed of the N from SEED + i * N on")
          ->check(CLI::Range(1, 1000))
          ->type_name("N")
          ->capture_default_str();
  verb->add_option("--judge", options->judge,
                   "What --best_of goes by: the similarity of image and prompt to the encoder, or the likelihood that\n"
                   "the backbone, shown the image, says the prompt. Without it, similarity if the encoder reads texts")
      ->needs(best_of)
      ->check(CLI::IsMember({"similarity", "likelihood"}))
      ->type_name("JUDGE");
  verb->callback([options, &program] {
    program.action = [options, &program] { return make_pictures(*options, "generate", program); };
  });
}

}  // namespace blip3u
