// The blip3u program: reads the command line, runs one verb, and turns whatever goes wrong into one message and an exit
// code. Results go to standard output, everything else to standard error.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "blip3u/build_stamp.h"
#include "blip3u/error.h"
#include "io/files.h"
#include "io/interrupt.h"
#include "io/say.h"
#include "program.h"
#include "recipe/suggest.h"

namespace {

using blip3u::Fault;

int fail(Fault fault, std::string_view message) {
  blip3u::say(fmt::format("blip3u: {}", message));
  return blip3u::interrupted() ? blip3u::interrupted_exit_code : static_cast<int>(fault);
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* verb = &app;
  std::string name = "blip3u";
  for (auto chosen = verb->get_subcommands(); !chosen.empty(); chosen = verb->get_subcommands()) {
    verb = chosen.front();
    name += ' ' + verb->get_name();
  }
  const auto rest = app.remaining();
  const auto verbs = verb->get_subcommands([](const CLI::App*) { return true; });
  if (!rest.empty() && !verbs.empty() && !rest.front().starts_with('-')) {
    std::vector<std::string> known;
    known.reserve(verbs.size());
    for (const CLI::App* each : verbs) known.push_back(each->get_name());
    return fail(Fault::usage, fmt::format("{} has no verb `{}`{}", name, rest.front(),
                                          blip3u::suggest(rest.front(), known, "verbs")));
  }
  return fail(Fault::usage, fmt::format("{}; see `{} --help`", error.what(), name));
}

int output_lost(int reason) {
  if (reason != EPIPE) return fail(Fault::runtime, "standard output: cannot be written; is the disk full?");
  return blip3u::interrupted() ? blip3u::interrupted_exit_code : static_cast<int>(Fault::runtime);  // its reader left
}

int run_action(const blip3u::Program& program) {
  try {
    const int code = program.action();
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) return output_lost(errno);
    return blip3u::interrupted() ? blip3u::interrupted_exit_code : code;
  } catch (const blip3u::Error& error) {
    return fail(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(Fault::runtime, "out of memory; use smaller batches, smaller images or a smaller model");
  } catch (const c10::OutOfMemoryError& error) {
    return fail(Fault::runtime,
                fmt::format("out of memory; use smaller batches, smaller images or a smaller model ({})",
                            first_line(error.what_without_backtrace())));
  } catch (const c10::Error& error) {
    return fail(Fault::runtime, fmt::format("LibTorch: {}", first_line(error.what_without_backtrace())));
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(Fault::runtime, blip3u::error_of(error).what());
  } catch (const std::system_error& error) {  // fmt::print's, where there is more than the stream's buffer holds
    if (std::ferror(stdout)) return output_lost(error.code().value());
    return fail(Fault::runtime, first_line(error.what()));
  } catch (const std::exception& error) {
    return fail(Fault::runtime, first_line(error.what()));
  } catch (...) {
    return fail(Fault::plugin, "a plugin threw an object that is not a std::exception; report this to its author");
  }
}

}  // namespace

int main(int argc, char** argv) {
  blip3u::install_interrupt_handler();
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit is an error of the write, which has a message
  std::signal(SIGPIPE, SIG_IGN);  // training goes on when nobody reads its progress any more
  blip3u::Program program;
  program.arguments.assign(argv, argv + argc);

  CLI::App app("Trains, runs and evaluates unified vision-language models from recipes.", "blip3u");
  app.set_version_flag("--version", "blip3u " BLIP3U_VERSION " (" BLIP3U_BUILD_STAMP ")");
  app.add_option("--plugins", program.plugin_folders, "Folder with more plugin libraries; may be repeated")
      ->type_name("DIR")
      ->check([](const std::string& folder) { return folder.empty() ? "an empty path; name a folder" : std::string(); })
      ->allow_extra_args(false);
  app.require_subcommand(1);
  app.fallthrough();  // inherited: --plugins may come after the verb
  app.footer("Exit codes: 0 fine, 1 failed at run time, 2 wrong recipe or usage, 3 plugin, 130 interrupted.");
  blip3u::add_run(app, program);
  blip3u::add_train(app, program);
  blip3u::add_infer(app, program);
  blip3u::add_generate(app, program);
  blip3u::add_edit(app, program);
  blip3u::add_chat(app, program);
  blip3u::add_inspect(app, program);
  blip3u::add_evaluate(app, program);
  blip3u::add_ablate(app, program);
  blip3u::add_validate(app, program);
  blip3u::add_compare(app, program);
  blip3u::add_schema(app, program);
  blip3u::add_plugins(app, program);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  return run_action(program);
}
