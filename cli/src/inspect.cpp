#include <memory>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/files.h"
#include "origin.h"
#include "program.h"

namespace blip3u {
namespace {

constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 29;  // above that of the largest picture that is written

int inspect(const std::filesystem::path& file) {
  std::error_code unknown;
  if (std::filesystem::exists(file, unknown) && !std::filesystem::is_regular_file(file, unknown)) {
    throw Error(fmt::format("{}: is no regular file; name a PNG file", file.string()));  // others may have no end
  }
  if (std::filesystem::file_size(file, unknown) > largest_file && !unknown) {
    throw Error(fmt::format("{}: has more than {} MiB, which no picture of blip3u has; name another file",
                            file.string(), largest_file >> 20));
  }
  const std::vector<PngText> texts = texts_of(read_text(file), file.string());
  const Origin origin = parse_origin(texts, file.string());
  for (const PngText& text : texts) {
    const bool ours = text.keyword.starts_with("blip3u.");
    if (ours || text.keyword == "Software") {
      fmt::print("{:<10}{}\n", ours ? printable(text.keyword.substr(7)) : "software", printable(text.text));
    }
  }
  fmt::print("\n{}\n", command_of(origin));
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Program& program) {
  const auto file = std::make_shared<std::filesystem::path>();
  CLI::App* const verb = app.add_subcommand("inspect", "Show where a picture that was made comes from");
  verb->add_option("file", *file, "The picture, a PNG file that generate, edit or chat wrote")
      ->type_name("FILE")
      ->required();
  verb->footer(
      "Prints what the file says of itself (recipe, run, prompt, seed, settings), and the command that makes the\n"
      "picture again, as again.png. The command is written for bash, and names files as they were named then. Where\n"
      "it names no run, the model that comes with the program made the picture; give it where ./runs holds no run.");
  verb->callback([file, &program] { program.action = [file] { return inspect(*file); }; });
}

}  // namespace blip3u
