// What the verbs that make pictures share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "io/terminal_picture.h"
#include "program.h"
#include "running/open_run.h"

namespace blip3u {

/// What the command line changes of how a run makes pictures.
struct SamplingOptions {
  std::filesystem::path run;
  std::optional<std::int64_t> steps;
  std::optional<double> guidance;
};

/// Adds --steps, --guidance and --run.
void add_sampling_options(CLI::App& verb, SamplingOptions& options);

/// Opens the run, which the options name or choose_run() finds, so changed. Its directory is put into options.run.
OpenedRun open_run(SamplingOptions& options, Registry& registry);

/// How often Events::cancelled is asked of the first request of a batch while its pictures are made: before each step
/// of samplers and decoder, and at the end.
std::int64_t steps_of(const Recipe& recipe);

/// How standard output takes pictures; none unless it is a terminal that can.
Graphics output_graphics();

/// One call of generate or edit.
struct PictureOptions {
  std::string prompt;
  bool reasoning = false;       ///< the model thinks in words before it draws
  std::filesystem::path input;  ///< the picture to edit; empty: none
  std::filesystem::path output;
  std::uint64_t seed = 0;
  std::int64_t images = 1;
  std::int64_t best_of = 1;  ///< that are made for each
  std::string judge;         ///< of these; empty: as the model can
  SamplingOptions sampling = {};
};

/// Adds the options that both have. `prompt` says what it is.
void add_picture_options(CLI::App& verb, PictureOptions& options, const std::string& prompt);

/// Makes and writes the pictures; prints their names.
int make_pictures(PictureOptions& options, const std::string& verb, const Program& program);

}  // namespace blip3u
