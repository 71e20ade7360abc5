#include "eval/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "blip3u/image.h"
#include "io/files.h"
#include "message_of.h"
#include "run_folder.h"
#include "shape_pictures.h"

namespace blip3u::eval {
namespace {

using testing::HasSubstr;
using testing::Not;

void fill(const TemporaryFolder& run) {
  run.write("metrics.json", made_up_metrics(0.95).dump());
  run.write(
      "manifest.json",
      nlohmann::json{{"name", "easy_vqa"},
                     {"status", "complete"},
                     {"seed", 1},
                     {"hash", "0123456789abcdef"},
                     {"device", "cpu"},
                     {"arguments", {"run", "<script>alert(1)</script>"}},
                     {"seconds", {{"stage encoder", 83.0}}},
                     {"plugins", {{{"name", "clip"}, {"file", "/x/clip.so"}, {"version", "1.0.0"}, {"sha256", "abc"}}}}}
          .dump());
  run.write("resolved.yaml", "name: easy_vqa\nseed: 1\n");
  run.write("items/generation.jsonl",
            R"({"id":"seed 1","input":"a red circle","output":"blue circle","expected":"red circle","score":0})"
            "\n"
            R"({"id":"seed 2","input":"a red circle","output":"red circle","expected":"red circle","score":1})"
            "\n");
  write_png(run.path() / "generation.png", draw(ColouredShape{0, 2}));
  std::filesystem::create_directories(run.path() / "losses");
  write_png(run.path() / "losses" / "encoder.png", draw(ColouredShape{1, 1}));
}

TEST(Report, HoldsEverythingThatTheRunLeft) {
  const TemporaryFolder run("blip3u-report");
  fill(run);
  write_report(run.path());
  const auto page = read_text(run.path() / "report.html");
  EXPECT_THAT(page, HasSubstr("generation/<wbr>seen"));
  EXPECT_THAT(page, HasSubstr("0.950"));
  EXPECT_THAT(page, HasSubstr("[0.930, 0.970]"));
  EXPECT_THAT(page, HasSubstr("n = 400"));
  EXPECT_THAT(page, HasSubstr("shapes@2"));
  EXPECT_THAT(page, HasSubstr("not applicable: there is no &lt;backbone&gt;"));
  EXPECT_THAT(page, HasSubstr("1 min 23 s"));
  EXPECT_THAT(page, HasSubstr("contrast 0.25"));
  EXPECT_THAT(page, HasSubstr("tasks/generation: 1 wrong of 2"));
  EXPECT_THAT(page, HasSubstr("/x/clip.so"));
  EXPECT_THAT(page, HasSubstr("name: easy_vqa\nseed: 1\n"));
}

TEST(Report, NeedsNothingFromOutsideAndRunsNoScript) {
  const TemporaryFolder run("blip3u-report-alone");
  fill(run);
  write_report(run.path());
  const auto page = read_text(run.path() / "report.html");
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, Not(HasSubstr("<link")));
  EXPECT_THAT(page, Not(HasSubstr("@import")));
}

TEST(Report, EmbedsPicturesWhole) {
  const TemporaryFolder run("blip3u-report-pictures");
  fill(run);
  write_report(run.path());
  const auto page = read_text(run.path() / "report.html");
  const std::string mark = "base64,";
  const auto start = page.find(mark) + mark.size();
  const auto encoded = page.substr(start, page.find('"', start) - start);
  std::string bytes;  // decoded bit by bit, unlike the encoder
  unsigned bits = 0;
  int have = 0;
  for (const char c : encoded) {
    if (c == '=') break;
    const int digit = c >= 'a' ? c - 'a' + 26 : c >= 'A' ? c - 'A' : c >= '0' ? c - '0' + 52 : c == '+' ? 62 : 63;
    bits = bits << 6 | static_cast<unsigned>(digit);
    have += 6;
    if (have >= 8) {
      have -= 8;
      bytes += static_cast<char>(bits >> have & 255);
    }
  }
  EXPECT_EQ(encoded.size() % 4, 0U);
  EXPECT_EQ(bytes, read_text(run.path() / "generation.png"));
}

TEST(Report, SaysWhichFileIsMissingOrDamaged) {
  const TemporaryFolder run("blip3u-report-bad");
  const auto message = [&] { return message_of([&] { write_report(run.path()); }); };
  EXPECT_THAT(message(), HasSubstr("manifest.json"));
  fill(run);
  run.write("metrics.json", "{\"tasks\": [");
  EXPECT_THAT(message(), HasSubstr("metrics.json: damaged"));
  run.write("metrics.json", "{\"tasks\": [{\"task\": 3}]}");
  EXPECT_THAT(message(), HasSubstr("metrics.json: damaged: "));
  EXPECT_FALSE(std::filesystem::exists(run.path() / "report.html"));
}

}  // namespace
}  // namespace blip3u::eval
