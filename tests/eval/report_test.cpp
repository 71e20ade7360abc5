#include "eval/report.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "blip3u/image.h"
#include "io/files.h"
#include "message_of.h"
#include "run_folder.h"
#include "running/run_directory.h"
#include "xml.h"

namespace blip3u::eval {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::Element;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;
using testing::XmlReader;

Tensor square(std::int64_t level) { return at::full({3, 64, 64}, level, at::kByte); }

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
  const RunDirectory directory(run.path());
  TaskResult generation;
  for (const char* output : {"blue circle", "red circle"}) {
    generation.records.push_back({.id = "seed 1",
                                  .input = "a red circle",
                                  .output = output,
                                  .expected = "red circle",
                                  .score = output == std::string("red circle") ? 1.0 : 0.0});
  }
  generation.records[0].images = {{square(200), "red circle", true}, {square(90), "<b>wrong</b>", false}};
  directory.write_result("tasks/generation", generation);
  directory.write_losses("encoder", {{"contrast", {3, 2, 1}}, {"<script>x", {5, 4, 3}}});
}

Element written(const TemporaryFolder& run) {
  write_report(run.path());
  return XmlReader::read(read_text(run.path() / "report.html"));
}

std::vector<std::string> texts(const std::vector<const Element*>& elements) {
  std::vector<std::string> result;
  for (const Element* element : elements) result.push_back(element->text);
  return result;
}

TEST(Report, HoldsEverythingThatTheRunLeft) {
  const TemporaryFolder run("blip3u-report");
  fill(run);
  const Element page = written(run);
  const auto cells = texts(page.all("td"));
  EXPECT_THAT(cells, Contains("generation/seenshapes@2, n = 400, wilson"));
  EXPECT_THAT(cells, Contains("0.950[0.930, 0.970]"));
  EXPECT_THAT(cells, Contains("not applicable: there is no <backbone>"));
  EXPECT_THAT(cells, IsSupersetOf({"encoder", "600", "1 min 23 s", "contrast 0.25, total 0.5"}));
  EXPECT_THAT(cells, IsSupersetOf({"red circle", "blue circle", "1", "seed 1: a red circle"}));
  EXPECT_THAT(cells, Contains("/x/clip.so 1.0.0 sha256 abc"));
  EXPECT_THAT(texts(page.all("h3")), ElementsAre("tasks/generation", "tasks/generation: 1 wrong of 2"));
  EXPECT_THAT(texts(page.all("pre")), ElementsAre("name: easy_vqa\nseed: 1\n"));
  EXPECT_THAT(texts(page.all("svg", "plot").at(0)->all("text", "name")), ElementsAre("<script>x", "contrast"));
}

TEST(Report, PutsScoresReferencesAndIntervalsOnOneAxis) {
  const TemporaryFolder run("blip3u-report-bars");
  fill(run);
  const Element page = written(run);
  const auto rows = page.all("td", "bar");
  ASSERT_EQ(rows.size(), 2u);                                                 // from 3 for zero to 197 for one
  EXPECT_EQ(rows[0]->all("rect", "dot").at(0)->attributes.at("x"), "186.3");  // 3 + 194 * 0.95 - 1
  EXPECT_EQ(rows[0]->all("rect", "band").at(0)->attributes.at("x"), "183.4");
  EXPECT_EQ(rows[0]->all("rect", "band").at(0)->attributes.at("width"), "7.8");
  EXPECT_EQ(rows[0]->all("path", "mark").at(0)->attributes.at("d"), "M12.7 1V15");
  EXPECT_TRUE(rows[1]->all("path", "mark").empty());
  EXPECT_EQ(page.all("tr", "reference").size(), 1u);
}

TEST(Report, LeavesOutWhatThereIsNot) {
  const TemporaryFolder run("blip3u-report-bare");
  run.write("metrics.json", R"({"tasks": [], "stages": []})");
  run.write("manifest.json", R"({"name": "bare"})");
  run.write("resolved.yaml", "");
  const Element page = written(run);
  EXPECT_THAT(texts(page.all("h2")), ElementsAre("Figures", "Recipe, every default filled in", "Where it came from"));
  EXPECT_THAT(page.text, HasSubstr("No task has been evaluated."));
  EXPECT_TRUE(page.all("img").empty());
}

TEST(Report, EscapesWhateverARunMayName) {
  const std::string odd = "<script>alert('1')</script>\"&{{name}}";
  const TemporaryFolder run("blip3u-report-escaped");
  fill(run);
  auto manifest = nlohmann::json::parse(read_text(run.path() / "manifest.json"));
  manifest["name"] = odd;
  run.write("manifest.json", manifest.dump());
  auto metrics = made_up_metrics(0.95);
  metrics["stages"][0]["name"] = odd;
  metrics["tasks"][0]["scores"][0]["name"] = odd;
  run.write("metrics.json", metrics.dump());
  run.write("resolved.yaml", odd);
  TaskResult result;
  result.records = {
      {.id = odd, .input = odd, .output = odd, .expected = odd, .score = 0, .images = {{square(200), odd, true}}}};
  RunDirectory(run.path()).write_result("tasks/generation", result);
  const Element page = written(run);
  EXPECT_TRUE(page.all("script").empty());
  EXPECT_THAT(texts(page.all("h1")), ElementsAre(odd));
  EXPECT_THAT(texts(page.all("title")), Contains("BLIP3-U: " + odd));
  EXPECT_THAT(texts(page.all("pre")), ElementsAre(odd));
  EXPECT_EQ(page.all("img").at(0)->attributes.at("alt"), odd);
  EXPECT_THAT(texts(page.all("figcaption")), ElementsAre(odd));
  const auto cells = texts(page.all("td"));
  EXPECT_THAT(cells, IsSupersetOf({odd, odd, odd, odd + ": " + odd}));  // the stage, expected, got, an example
  EXPECT_THAT(cells, Contains(odd + "shapes@2, n = 400, wilson"));
}

TEST(Report, NeedsNothingFromOutsideAndRunsNoScript) {
  const TemporaryFolder run("blip3u-report-alone");
  fill(run);
  const Element page = written(run);
  for (const char* name : {"script", "link", "iframe", "object"}) EXPECT_TRUE(page.all(name).empty()) << name;
  for (const Element* style : page.all("style")) {
    EXPECT_THAT(style->text, AllOf(Not(HasSubstr("@import")), Not(HasSubstr("url("))));
  }
  EXPECT_EQ(page.all("img").size(), 2u);
  for (const Element* image : page.all("img")) EXPECT_THAT(image->attributes.at("src"), StartsWith("data:"));
}

TEST(Report, EmbedsEachPictureWholeWithItsLabelAndMark) {
  const TemporaryFolder run("blip3u-report-pictures");
  fill(run);
  const Element page = written(run);
  EXPECT_THAT(texts(page.all("figcaption")), ElementsAre("red circle", "✗ <b>wrong</b>"));
  EXPECT_EQ(page.all("figcaption", "bad").size(), 1u);
  const auto encoded = page.all("img").at(1)->attributes.at("src").substr(std::string("data:image/png;base64,").size());
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
  EXPECT_TRUE(at::equal(to_bytes(decode_image(bytes, "embedded")), square(90)));
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
