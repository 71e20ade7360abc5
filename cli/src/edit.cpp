#include <memory>

#include "pictures.h"
#include "program.h"

namespace blip3u {

void add_edit(CLI::App& app, Program& program) {
  const auto options = std::make_shared<PictureOptions>();
  CLI::App* const verb = app.add_subcommand("edit", "Make images from an image and what to change of it");
  verb->add_option("--input_path", options->input, "The image to change, PNG or JPEG; its central square is read")
      ->type_name("IMAGE")
      ->required();
  add_picture_options(*verb, *options, "What to change");
  verb->callback([options, &program] {
    program.action = [options, &program] { return make_pictures(*options, "edit", program); };
  });
}

}  // namespace blip3u
