#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "program.h"
#include "running/open_run.h"
#include "words.h"

namespace blip3u {
namespace {

constexpr std::size_t shown_classes = 5;

/// The classes that fit best, with their similarity.
void print_classes(OpenedRun& run, const Tensor& images) {
  const std::string missing = run.model->missing_for(Model::Ability::classify);
  if (!missing.empty()) throw Error(Fault::usage, "this run cannot classify: " + missing);
  if (run.classes.empty()) {
    throw Error(Fault::usage, "this run has no classes, because its data set names none; use --task vqa");
  }
  const Tensor similarity = run.model->classify(images, run.classes).to(at::kCPU, at::kDouble).contiguous();
  const double* const values = similarity.const_data_ptr<double>();
  std::vector<std::size_t> order(run.classes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), shown_classes));
  for (const std::size_t i : order) fmt::print("{:.3f}  {}\n", values[i], run.classes[i]);
}

}  // namespace

void add_infer(CLI::App& app, Program& program) {
  struct Options {
    std::string task, question;
    std::filesystem::path input, run;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("infer", "Classify an image or answer a question about it");
  verb->add_option("--task", options->task, "What to do: image_classification or vqa")
      ->check(CLI::IsMember({"image_classification", "vqa"}))
      ->type_name("TASK")
      ->required();
  verb->add_option("--input_path", options->input, "The image, PNG or JPEG")->type_name("IMAGE")->required();
  verb->add_option("--question", options->question, "The question, for vqa")->type_name("TEXT");
  add_run_option(*verb, options->run);
  verb->footer("Prints the answer, or the classes that fit best with their similarity.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      const bool asks = options->task == "vqa";
      if (asks == options->question.empty()) {
        throw Error(Fault::usage, asks ? "infer --task vqa needs a question; give one with --question"
                                       : "infer --task image_classification takes no --question; use --task vqa");
      }
      check_utf8(options->question, "--question");
      const Tensor image = read_image(options->input);
      Registry registry = open_registry(program);
      OpenedRun run =
          open_run(choose_run(options->run), registry, {}, asks ? Model::Ability::answer : Model::Ability::classify);
      const Tensor images = resize_image(image, run.recipe.wiring.image_size).unsqueeze(0);
      if (asks) {
        say_unknown_words(*run.tokenizer, options->question, "--question");
        const Request request{.messages = {{Role::user, {image_part(0), text_part(options->question)}}},
                              .images = {images[0]}};
        Events events;
        events.text = [](std::size_t, std::string_view piece) {
          fmt::print("{}", piece);
          std::fflush(stdout);  // as it is made
        };
        run.model->respond({&request, 1}, events);
        fmt::print("\n");
      } else {
        print_classes(run, images);
      }
      return 0;
    };
  });
}

}  // namespace blip3u
