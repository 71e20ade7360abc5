#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/interrupt.h"
#include "io/say.h"
#include "program.h"
#include "running/open_run.h"
#include "words.h"

namespace blip3u {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t shown_classes = 5;

struct InferOptions {
  std::string task, question;
  fs::path input, run;
};

bool has_picture_name(const fs::path& file) {
  constexpr std::array<std::string_view, 4> extensions = {".png", ".jpg", ".jpeg", ".webp"};
  std::string extension = file.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return !file.filename().string().starts_with('.') && std::ranges::find(extensions, extension) != extensions.end();
}

/// The pictures in a folder, but not in those below it.
std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> pictures;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
    stop_if_interrupted();
    if (entry->is_regular_file() && has_picture_name(entry->path())) pictures.push_back(entry->path());
  }
  if (failure) {
    throw Error(fmt::format("{}: cannot be listed: {}; make it readable", folder.string(), failure.message()));
  }
  if (pictures.empty()) {
    throw Error(Fault::usage,
                fmt::format("{}: holds no .png, .jpg, .jpeg or .webp picture; name a picture, or a folder "
                            "with some",
                            folder.string()));
  }
  std::ranges::sort(pictures);
  return pictures;
}

/// Asks a run about pictures.
class Inference {
 public:
  Inference(const InferOptions& options, Registry& registry)
      : options_(options),
        run_(open_run(choose_run(options.run), registry, {},
                      asks() ? Model::Ability::answer : Model::Ability::classify)) {
    if (asks()) {
      say_unknown_words(*run_.tokenizer, options.question, "--question");
      return;
    }
    const std::string missing = run_.model->missing_for(Model::Ability::classify);
    if (!missing.empty()) throw Error(Fault::usage, "this run cannot classify: " + missing);
    if (run_.classes.empty()) {
      throw Error(Fault::usage, "this run has no classes, because its data set names none; use --task vqa");
    }
  }

  bool asks() const { return options_.task == "vqa"; }

  /// Prints the answer, or the classes that fit best with their similarity.
  void one(const Tensor& image) {
    if (asks()) {
      answer(image, [](std::string_view piece) {
        fmt::print("{}", piece);
        std::fflush(stdout);  // as it is made
      });
      fmt::print("\n");
      return;
    }
    for (const auto& [similarity, name] : classes_of(image)) fmt::print("{:.3f}  {}\n", similarity, name);
  }

  /// Prints a line for each picture: its name, then the answer, or the class that fits best and its similarity, after
  /// tabulators. Names those that cannot be read; returns whether all could.
  bool all(const std::vector<fs::path>& pictures) {
    bool good = true;
    for (const fs::path& picture : pictures) {
      stop_if_interrupted();
      try {
        const Tensor image = read_image(picture);
        const std::string name = picture.filename().string();
        if (asks()) {
          std::string text;
          answer(image, [&](std::string_view piece) { text += piece; });
          fmt::print("{}\t{}\n", name, text);
        } else {
          const auto [similarity, best] = classes_of(image).front();
          fmt::print("{}\t{}\t{:.3f}\n", name, best, similarity);
        }
        std::fflush(stdout);
      } catch (const Interrupted&) {
        throw;
      } catch (const Error& error) {
        say(fmt::format("blip3u: {}", error.what()));
        good = false;
      }
    }
    return good;
  }

 private:
  Tensor resized(const Tensor& image) const { return resize_image(image, run_.recipe.wiring.image_size); }

  void answer(const Tensor& image, const std::function<void(std::string_view)>& take) {
    const Request request{.messages = {{Role::user, {image_part(0), text_part(options_.question)}}},
                          .images = {resized(image)}};
    Events events;
    events.text = [&](std::size_t, std::string_view piece) { take(piece); };
    run_.model->respond({&request, 1}, events);
  }

  std::vector<std::pair<double, std::string>> classes_of(const Tensor& image) {
    const Tensor similarity =
        run_.model->classify(resized(image).unsqueeze(0), run_.classes).to(at::kCPU, at::kDouble).contiguous();
    const double* const values = similarity.const_data_ptr<double>();
    std::vector<std::size_t> order(run_.classes.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] > values[b]; });
    order.resize(std::min(order.size(), shown_classes));
    std::vector<std::pair<double, std::string>> best;
    for (const std::size_t i : order) best.emplace_back(values[i], run_.classes[i]);
    return best;
  }

  const InferOptions& options_;
  OpenedRun run_;
};

}  // namespace

void add_infer(CLI::App& app, Program& program) {
  const auto options = std::make_shared<InferOptions>();
  CLI::App* const verb = app.add_subcommand("infer", "Classify images or answer a question about them");
  verb->add_option("--task", options->task, "What to do: image_classification or vqa")
      ->check(CLI::IsMember({"image_classification", "vqa"}))
      ->type_name("TASK")
      ->required();
  verb->add_option("--input_path", options->input, "The image (PNG, JPEG or WebP), or a folder with some")
      ->type_name("IMAGE")
      ->required();
  verb->add_option("--question", options->question, "The question, for vqa")->type_name("TEXT");
  add_run_option(*verb, options->run);
  verb->footer(
      "Prints the answer, or the classes that fit best with their similarity. Of a folder it prints a line for each\n"
      "image, separated by tabulators: its name, and the answer, or the best class and its similarity.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      const bool asks = options->task == "vqa";
      if (asks == options->question.empty()) {
        throw Error(Fault::usage, asks ? "infer --task vqa needs a question; give one with --question"
                                       : "infer --task image_classification takes no --question; use --task vqa");
      }
      check_utf8(options->question, "--question");
      const bool folder = fs::is_directory(options->input);
      const std::vector<fs::path> pictures = folder ? pictures_in(options->input) : std::vector<fs::path>();
      const Tensor image = folder ? Tensor() : read_image(options->input);
      Registry registry = open_registry(program);
      Inference inference(*options, registry);
      if (folder) return inference.all(pictures) ? 0 : 1;
      inference.one(image);
      return 0;
    };
  });
}

}  // namespace blip3u
