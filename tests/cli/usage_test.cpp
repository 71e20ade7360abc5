// The command line itself: help, versions, exit codes, and which stream gets what.
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/build_stamp.h"
#include "cli/support.h"
#include "io/png_text.h"
#include "io/support.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::vector<std::vector<std::string>> verbs = {
    {"run"},
    {"train"},
    {"infer"},
    {"generate"},
    {"evaluate"},
    {"validate"},
    {"compare"},
    {"plugins"},
    {"plugins", "list"},
    {"plugins", "inspect"},
    {"plugins", "new"},
    {"plugins", "verify"},
    {"schema"},
    {"inspect"},
    {"edit"},
    {"chat"},
};

const std::string easy_vqa = BLIP3U_SOURCE_DIR "/recipes/easy_vqa.yaml";
const std::string on_easy_vqa = "base: " + easy_vqa + "\n";

void expect_refused(const std::vector<std::string>& arguments, int code, const std::string& reason,
                    const std::filesystem::path& folder = "/") {
  expect_refusal(call(arguments, folder), code, reason);
}

TEST(Usage, HelpIsAResult) {
  const Outcome main = call({"--help"});
  EXPECT_EQ(main.code, 0);
  EXPECT_THAT(main.err, IsEmpty());
  for (const auto& verb : verbs) {
    EXPECT_THAT(main.out, HasSubstr("\n  " + verb.front())) << "the help names every verb";
    auto arguments = verb;
    arguments.emplace_back("--help");
    const Outcome help = call(arguments);
    EXPECT_EQ(help.code, 0) << verb.back();
    EXPECT_THAT(help.out, HasSubstr("Usage: blip3u " + verb.front())) << verb.back();
    EXPECT_THAT(help.err, IsEmpty()) << verb.back();
  }
}

TEST(Usage, VersionNamesTheBuild) {
  const Outcome outcome = call({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "blip3u " BLIP3U_VERSION " (" BLIP3U_BUILD_STAMP ")\n");
}

TEST(Usage, WrongCommandLinesAreUsageErrors) {
  expect_refused({}, 2, "--help");
  expect_refused({"rum"}, 2, "no verb `rum`; did you mean `run`?");
  expect_refused({"fly"}, 2, "known verbs: ");
  expect_refused({"plugins", "lits"}, 2, "blip3u plugins has no verb `lits`; did you mean `list`?");
  expect_refused({"run"}, 2, "blip3u run --help");
  expect_refused({"run", "r.yaml", "--fast"}, 2, "--fast");
  expect_refused({"generate", "--prompt", "x"}, 2, "--output_path is required");
  expect_refused({"generate", "--prompt", "x", "--output_path", "x.png", "--num_images", "0"}, 2, "--num_images");
  expect_refused({"generate", "--prompt", "x", "--output_path", "x.png", "--seed", "many"}, 2, "--seed");
  expect_refused({"generate", "--prompt", "x\xFF", "--output_path", "x.png"}, 2, "--prompt: is not UTF-8 from byte 2");
  expect_refused({"edit", "--prompt", "x", "--output_path", "x.png"}, 2, "--input_path is required");
  expect_refused({"edit", "--input_path", "absent.png", "--prompt", "x", "--output_path", "x.png"}, 1,
                 "absent.png: cannot be opened", "/tmp");
  expect_refused({"generate", "--prompt", "x", "--output_path", "x.png", "--best_of", "0"}, 2, "--best_of");
  expect_refused({"evaluate", "--task", "x", "--checkpoint", "x", "--best_of", "4", "--stored"}, 2, "--stored");
  expect_refused({"generate", "--prompt", "x", "--output_path", "x.png", "--judge", "taste"}, 2, "--judge");
  expect_refused({"generate", "--prompt", "x", "--output_path", "x.png", "--judge", "likelihood"}, 2,
                 "--judge requires --best_of");
  expect_refused({"edit", "--input_path", "caf\xE9.png", "--prompt", "x", "--output_path", "x.png"}, 2,
                 "--input_path: is not UTF-8 from byte 4", "/tmp");
  expect_refused({"infer", "--task", "dream", "--input_path", "x.png"}, 2, "dream");
  expect_refused({"infer", "--task", "vqa", "--input_path", "x.png"}, 2, "needs a question");
  expect_refused({"infer", "--task", "vqa", "--input_path", "x.png", "--question", "\x80"}, 2,
                 "--question: is not UTF-8 from byte 1");
  expect_refused({"infer", "--task", "image_classification", "--input_path", "x.png", "--question", "why?"}, 2,
                 "takes no --question");
}

TEST(Usage, GenerateRefusesBeforeAnyWorkWhatItCouldNotWrite) {
  const TemporaryFolder folder("blip3u-cli-usage");
  std::filesystem::create_directory(folder.path() / "folder.png");
  const auto generate = [](const std::string& output) {
    return std::vector<std::string>{"generate", "--prompt", "x", "--output_path", output};
  };
  expect_refused(generate("absent/x.png"), 2, "folder does not exist", folder.path());
  expect_refused(generate("x.jpg"), 2, "end the name in .png", folder.path());
  expect_refused(generate("folder.png"), 2, "is a folder", folder.path());
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  expect_refused(generate("loop/x.png"), 2, "--output_path loop/x.png: Too many levels of symbolic links; choose",
                 folder.path());
  for (const std::size_t letters : {300, 250}) {  // 250 fit, but not with what is written first
    expect_refused(generate(std::string(letters, 'x') + ".png"), 2, "xxx.png: File name too long; choose another name",
                   folder.path());
  }
}

TEST(Usage, GenerateSetsTheStepsOfWhatMakesThePictures) {
  const TemporaryFolder folder("blip3u-cli-usage");
  const auto expect_override = [&](const std::string& pipeline, const std::string& steps, const std::string& reason) {
    folder.write("run/resolved.yaml", on_easy_vqa + pipeline);
    const Outcome outcome =
        call({"generate", "--run", "run", "--prompt", "x", "--output_path", "x.png", "--steps", steps}, folder.path());
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr("override '" + reason));
  };
  expect_override("", "0", "pipeline.sampler.steps=0': `steps` must be");
  expect_override("pipeline: {solver: flow_matching}\n", "0", "pipeline.solver.steps=0': `steps` must be");
  expect_override("pipeline: {sampler: regression, solver: regression}\n", "2",
                  "pipeline.solver.steps=2': unknown key `steps` in sampler `regression`");
}

/// A folder with the program in bin/, which so has no model but what a test puts there.
class Installed : public ::testing::Test {
 protected:
  Installed() {
    std::filesystem::create_directory(folder_.path() / "bin");
    std::filesystem::copy_file(BLIP3U_PROGRAM, folder_.path() / "bin/blip3u");
    std::filesystem::create_symlink(std::filesystem::path(BLIP3U_PROGRAM).parent_path().parent_path() / "lib",
                                    folder_.path() / "lib");
  }

  Outcome generate() const {
    return call({"generate", "--prompt", "x", "--output_path", "x.png"}, folder_.path(), {}, {},
                folder_.path() / "bin/blip3u");
  }

  const TemporaryFolder folder_{"blip3u-cli-installed"};
};

TEST_F(Installed, WithoutARunThereIsAWayToMakeOne) {
  folder_.write("runs/broken/manifest.json", "{");
  folder_.write("runs/unfinished/manifest.json", R"({"status": "running"})");
  expect_refusal(generate(), 2, "make one with `blip3u run RECIPE`");
}

TEST_F(Installed, WithoutARunTheModelThatComesWithTheProgramIsTaken) {
  std::filesystem::create_directories(folder_.path() / "share/blip3u/models/scenes");
  expect_refusal(generate(), 2, "make one with `blip3u run RECIPE`");
  folder_.write("share/blip3u/models/scenes/resolved.yaml", "nonsense: 1\n");
  const std::string model = (folder_.path() / "share/blip3u/models/scenes").string();
  const Outcome shipped = generate();
  EXPECT_THAT(shipped.err, StartsWith("blip3u: using the model that comes with the program, " + model + "\n"));
  EXPECT_THAT(shipped.err, HasSubstr(model + "/resolved.yaml:1:1: "));
  folder_.write("runs/a/manifest.json", R"({"status": "complete", "finished": "2026-01-02T00:00:00Z"})");
  EXPECT_THAT(generate().err, StartsWith("blip3u: using the latest run, runs/a\n"));
}

TEST(Usage, TheLatestCompleteRunIsTaken) {
  const TemporaryFolder folder("blip3u-cli-usage");
  folder.write("runs/a/manifest.json", R"({"status": "complete", "finished": "2026-01-02T00:00:00Z"})");
  folder.write("runs/b/manifest.json", R"({"status": "complete", "finished": "2026-01-03T00:00:00Z"})");
  folder.write("runs/c/manifest.json", R"({"status": "complete", "finished": "2026-01-01T00:00:00Z"})");
  folder.write("runs/d/manifest.json", R"({"status": "interrupted", "finished": "2026-01-04T00:00:00Z"})");
  const Outcome outcome = call({"generate", "--prompt", "x", "--output_path", "x.png"}, folder.path());
  EXPECT_THAT(outcome.err, StartsWith("blip3u: using the latest run, runs/b\n"));
  EXPECT_EQ(outcome.code, 1) << "runs/b holds no recipe";
  EXPECT_THAT(outcome.err, HasSubstr("not a run directory"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "x.png"));
}

TEST(Usage, AResultThatCannotBeWrittenIsAnError) {
  for (const std::vector<std::string>& verb : {std::vector<std::string>{"plugins", "list"}, {"schema"}}) {
    const Outcome outcome = call(verb, "/", {}, "/dev/full");
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("standard output: cannot be written"));
  }
}

TEST(Usage, AnErrorThatCannotBeSaidKeepsItsExitCode) {
  const TemporaryFolder folder("blip3u-cli-usage");
  EXPECT_EQ(exit_code(start({"run", "absent.yaml"}, folder.path(), {}, folder.path() / "out", "/dev/full")), 2);
}

TEST(Usage, PicturesThatCannotBeReadSayHowToMendIt) {
  const TemporaryFolder folder("blip3u-cli-usage");
  folder.write("empty.png", "");
  folder.write("pointless.png", png_of_size(0, 0));
  folder.write("huge.png", png_of_size(60000, 60000));
  std::filesystem::copy_file(BLIP3U_TEST_DATA "/images/rgb.png", folder.path() / "cut.png");
  std::filesystem::resize_file(folder.path() / "cut.png", 40);
  const auto expect_unreadable = [&](const std::string& file, const std::string& reason) {
    expect_refused({"infer", "--task", "image_classification", "--input_path", file}, 1, file + ": " + reason,
                   folder.path());
  };
  expect_unreadable("missing.png", "cannot be opened: No such file or directory; check the path");
  expect_unreadable("empty.png", "an empty file; replace it");
  expect_unreadable("cut.png", "truncated or damaged PNG (its end is missing); replace the file");
  expect_unreadable("pointless.png", "the picture is 0 x 0 pixels and so has no content; remove or replace it");
  expect_unreadable("huge.png",
                    "the picture is 60000 x 60000 pixels, more than the 16384 a side or 100 megapixels that are "
                    "allowed; scale it down");
}

TEST(Usage, WhatDoesNotSayWhereItComesFromHasOneMessage) {
  const TemporaryFolder folder("blip3u-cli-usage");
  const std::string plain = content_of(BLIP3U_TEST_DATA "/images/rgb.png");
  const auto expect_unknown = [&](const std::string& content, const std::string& reason) {
    folder.write("x.png", content);
    expect_refused({"inspect", "x.png"}, 1, "x.png: " + reason, folder.path());
  };
  expect_unknown(plain, "does not say where it comes from; ");
  expect_unknown(with_texts(plain, {{"Software", "Acme"}}), "does not say where it comes from; ");
  expect_unknown(with_texts(plain, {{"blip3u.verb", "rm"}, {"blip3u.run", "x"}, {"blip3u.seed", "0"}}),
                 "what it says of where it comes from is not as this version writes it");
  expect_unknown(with_texts(plain, {{"blip3u.prompt", "x"}}).substr(0, 70), "truncated or damaged PNG");
  expect_unknown("", "not a PNG");
  expect_unknown(content_of(BLIP3U_TEST_DATA "/images/gradient.jpg"), "not a PNG");
  expect_refused({"inspect", "absent.png"}, 1, "absent.png: cannot be opened", folder.path());
  for (const std::string& other : {std::string("."), std::string("/dev/zero")}) {
    expect_refused({"inspect", other}, 1, other + ": is no regular file; name a PNG file", folder.path());
  }
  folder.write("huge.png", plain);
  std::filesystem::resize_file(folder.path() / "huge.png", std::uintmax_t{1} << 30);
  expect_refused({"inspect", "huge.png"}, 1, "huge.png: has more than 512 MiB", folder.path());
}

TEST(Usage, AWrongRecipeIsRefusedByEveryVerbAndLeavesNothing) {
  const std::pair<std::string, std::string> recipes[] = {
      {on_easy_vqa + "seed: 1\nseed: 2\n", "recipe.yaml:3:1: duplicate key `seed`"},
      {"data: easy_vqa\ntokenizer: words\npipeline: {}\n", "recipe.yaml:1:1: missing key `name`"},
      {on_easy_vqa + "seed: many\n", "recipe.yaml:2:7: `seed` must be a whole number"},
      {on_easy_vqa + "seed: -1\n", "recipe.yaml:2:7: `seed` must be between 0 and"},
      {on_easy_vqa + "tokenizer: word\n", "there is no tokenizer `word`; did you mean `words`?"},
      {on_easy_vqa + "tokenizer: acme/words\n", "there is no tokenizer `acme/words`"},
      {"name: {a: 1\n", "not YAML"},
      {"", "recipe.yaml: is empty"},
      {"base: recipe.yaml\n", "`base` goes in a circle"},
  };
  for (const auto& [recipe, reason] : recipes) {
    const TemporaryFolder folder("blip3u-cli-usage");
    folder.write("recipe.yaml", recipe);
    for (const char* verb : {"validate", "run"}) {
      SCOPED_TRACE(verb);
      const Outcome outcome = call({verb, "recipe.yaml"}, folder.path());
      EXPECT_EQ(outcome.code, 2) << outcome.err;
      EXPECT_THAT(outcome.out, IsEmpty());
      EXPECT_THAT(outcome.err, StartsWith("blip3u: recipe.yaml:"));
      EXPECT_THAT(outcome.err, HasSubstr(reason));
    }
    EXPECT_EQ(folder.entries(), 1U);
  }
}

TEST(Usage, ARecipeWhosePartsDoNotFitLeavesNothing) {
  const TemporaryFolder folder("blip3u-cli-usage");
  folder.write("decoder.yaml", on_easy_vqa + "pipeline: {encoder: {grid: 8}, decoder: {tokens: 16}}\n");
  folder.write("sampler.yaml", on_easy_vqa + "pipeline: {denoiser: null}\n");
  const auto expect_no_run = [&](const std::string& file, const std::string& reason) {
    const Outcome outcome = call({"run", file}, folder.path());
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(reason));
  };
  expect_no_run("decoder.yaml", "decoder `patch_decoder`: it decodes 16 tokens, but the encoder makes 64");
  expect_no_run("sampler.yaml", "sampler `flow_matching` needs `predict`, which nothing that it works with provides");
  EXPECT_EQ(folder.entries(), 2U);
}

TEST(Usage, ValidateReportsEveryFile) {
  const TemporaryFolder folder("blip3u-cli-usage");
  folder.write("one.yaml", "nonsense: 1\n");
  folder.write("two.yaml", "");
  const Outcome outcome = call({"validate", "one.yaml", easy_vqa, "two.yaml", "absent.yaml"}, folder.path());
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, easy_vqa + ": ok\n");
  for (const char* file : {"one.yaml", "two.yaml", "absent.yaml"}) EXPECT_THAT(outcome.err, HasSubstr(file));
  EXPECT_EQ(call({"validate", easy_vqa}).code, 0);
}

}  // namespace
}  // namespace blip3u::testing
