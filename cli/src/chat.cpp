#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "dialogue.h"
#include "io/files.h"
#include "io/interrupt.h"
#include "io/progress.h"
#include "io/say.h"
#include "io/terminal_picture.h"
#include "lines.h"
#include "origin.h"
#include "pictures.h"
#include "program.h"
#include "recipe/suggest.h"

namespace blip3u {
namespace {

constexpr std::int64_t most_tokens = 4;  // of a character

struct Options {
  SamplingOptions sampling;
  std::filesystem::path output;  ///< where pictures are written; empty: where the terminal cannot show them
};

std::string trimmed(std::string_view text) {
  constexpr std::string_view spaces = " \t\r";
  const std::size_t begin = text.find_first_not_of(spaces);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(spaces) - begin + 1));
}

void print(std::string_view text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

class Chat {
 public:
  Chat(const OpenedRun& run, Origin origin, std::filesystem::path output)
      : dialogue_(run, std::move(origin)), steps_(steps_of(run.recipe)), output_(std::move(output)) {}

  int run() {
    if (terminal_) say("Say something, or /help.");
    while (going_) {
      if (terminal_) std::fputs("> ", stderr);
      const auto line = lines_.next();
      if (!line && terminal_) say("");
      if (!line) break;
      try {
        obey(trimmed(*line));
      } catch (const Interrupted&) {
        throw;
      } catch (const Error& error) {
        if (!terminal_) throw;
        say(fmt::format("blip3u: {}", error.what()));
      }
    }
    return 0;
  }

 private:
  struct Command {
    const char* name;
    const char* argument;
    const char* help;
    std::function<void(const std::string& argument)> act;
  };

  std::vector<Command> commands() {
    return {
        {"/image", "PATH", "adds a picture, PNG or JPEG, to the next message",
         [&](const std::string& path) { dialogue_.add_picture(path); }},
        {"/draw", "TEXT", "says TEXT and has a picture as the reply",
         [&](const std::string& text) { answer(text, Dialogue::As::image, "/draw " + text); }},
        {"/ask", "TEXT", "says TEXT and has words as the reply; TEXT may be left out after /image",
         [&](const std::string& text) { answer(text, Dialogue::As::text, trimmed("/ask " + text)); }},
        {"/save", "FILE", "writes the last picture, a .png file", [&](const std::string& file) { save(file); }},
        {"/undo", "", "takes back the picture that was added, or the last message and its reply",
         [&](const std::string&) {
           if (!dialogue_.undo()) throw Error(Fault::usage, "/undo: nothing has been said yet");
         }},
        {"/seed", "N", "sets the seed of the next picture, which goes up by one with each; without N, tells it",
         [&](const std::string& number) { set_seed(number); }},
        {"/help", "", "shows this", [&](const std::string&) { help(); }},
        {"/quit", "", "ends the program, as does the end of input", [&](const std::string&) { going_ = false; }},
    };
  }

  void obey(const std::string& line) {
    if (line.empty()) return;
    if (!line.starts_with('/')) return answer(line, Dialogue::As::free, line);
    const std::string name = line.substr(0, line.find_first_of(" \t")), argument = trimmed(line.substr(name.size()));
    std::vector<std::string> names;
    for (const Command& command : commands()) {
      if (command.name == name) return command.act(argument);
      names.emplace_back(command.name);
    }
    throw Error(Fault::usage,
                fmt::format("there is no command `{}`{}", printable(name), suggest(name, names, "commands")));
  }

  void help() {
    print("What does not begin with / is said to the model, which replies with words or a picture, as it sees fit.\n");
    for (const Command& command : commands()) {
      print(fmt::format("  {:<13}{}\n", trimmed(fmt::format("{} {}", command.name, command.argument)), command.help));
    }
    print("Ctrl-C gives up the reply that is being made; while nothing is, it ends the program.\n");
  }

  void set_seed(const std::string& number) {
    if (number.empty()) return print(fmt::format("{}\n", dialogue_.seed));
    std::uint64_t seed = 0;
    const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), seed);
    if (problem != std::errc() || end != number.data() + number.size()) {
      throw Error(Fault::usage, fmt::format("/seed {}: not a whole number from 0 to 2^64 - 1", printable(number)));
    }
    dialogue_.seed = seed;
  }

  void save(const std::string& file) {
    if (file.empty()) throw Error(Fault::usage, "/save: name a .png file");
    if (dialogue_.made().empty()) throw Error(Fault::usage, "/save: no picture has been made yet");
    check_picture_path(file, "/save");
    write_picture(file, dialogue_.made().back().image, dialogue_.made().back().origin);
  }

  void answer(const std::string& text, Dialogue::As as, const std::string& line) {
    Reply reply;
    try {
      reply = hear(text, as, line);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      end_line();
      return say(fmt::format("blip3u: {}; the dialogue goes on from before this message", error.what()));
    }
    end_line();
    if (reply.end == Reply::End::cancelled) {
      return say("blip3u: cancelled; the dialogue goes on from before this message");
    }
    if (reply.end == Reply::End::limit) say("blip3u: the reply ends here because it is very long");
    if (!reply.images.empty()) show(dialogue_.made().back());
  }

  /// Has the reply, and shows its words while it is made.
  Reply hear(const std::string& text, Dialogue::As as, const std::string& line) {
    std::optional<Cancellation> cancellation;  // a script ends as a whole
    if (terminal_) cancellation.emplace();
    std::optional<ProgressBar> bar;
    std::int64_t steps = 0;  // since the last word
    Events events;
    events.text = [&](std::size_t, std::string_view piece) {
      if (bar) bar->clear();
      bar.reset();
      steps = 0;
      print(piece);
      in_line_ = true;
    };
    events.cancelled = [&](std::size_t) {
      if (++steps == most_tokens + 1) {  // a picture is being made
        end_line();
        bar.emplace("drawing", steps_, steps);
      }
      if (bar) bar->update(std::min(steps, steps_));
      return cancellation && cancellation->asked();
    };
    Reply reply = dialogue_.say(text, as, line, events);
    if (bar) bar->clear();
    return reply;
  }

  /// Words that are told stand on lines of their own.
  void end_line() {
    if (std::exchange(in_line_, false)) print("\n");
  }

  void show(const Dialogue::Made& made) {
    if (graphics_ != Graphics::none) print(terminal_picture(graphics_, made.image) + "\n");
    if (graphics_ != Graphics::none && output_.empty()) return;
    try {
      print(write_anew(made).string() + "\n");
    } catch (const Error& error) {  // the reply has been heard all the same
      throw Error(terminal_ ? fmt::format("{}; the reply stands, and /save FILE writes its picture", error.what())
                            : error.what());
    }
  }

  /// Writes a picture into a file that was not there.
  std::filesystem::path write_anew(const Dialogue::Made& made) {
    std::filesystem::path file = free_file();
    try {
      write_picture(file, made.image, made.origin);
    } catch (...) {
      std::error_code ignored;
      std::filesystem::remove(file, ignored);
      throw;
    }
    return file;
  }

  /// A file that was not there, made empty.
  std::filesystem::path free_file() {
    while (true) {
      const std::filesystem::path file = output_ / fmt::format("picture-{}.png", ++pictures_);
      const int descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor < 0 && errno == EEXIST) continue;
      if (descriptor < 0) throw_write_error(file, errno);
      close(descriptor);
      return file;
    }
  }

  Dialogue dialogue_;
  std::int64_t steps_;
  std::filesystem::path output_;
  Graphics graphics_ = output_graphics();
  bool terminal_ = isatty(STDIN_FILENO) == 1;
  Lines lines_;
  std::int64_t pictures_ = 0;
  bool in_line_ = false, going_ = true;
};

}  // namespace

void add_chat(CLI::App& app, Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* const verb = app.add_subcommand("chat", "Talk with a model in words and pictures");
  verb->add_option("--output_folder", options->output,
                   "Write every picture that is made there, as picture-1.png and so on; without it, into the working\n"
                   "directory those that the terminal cannot show")
      ->type_name("DIR");
  add_sampling_options(*verb, options->sampling);
  verb->footer(
      "Reads messages and commands, one a line, from the terminal or a script on standard input; /help lists them.\n"
      "A script ends with exit code 2 at a command that is wrong.");
  verb->callback([options, &program] {
    program.action = [options, &program] {
      if (!options->output.empty()) create_folder(options->output);
      Registry registry = open_registry(program);
      const OpenedRun run = open_run(options->sampling, registry);
      return Chat(run, origin_of("chat", options->sampling.run, run.recipe), options->output).run();
    };
  });
}

}  // namespace blip3u
