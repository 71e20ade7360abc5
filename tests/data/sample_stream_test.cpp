#include "data/sample_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "data/sources.h"
#include "message_of.h"

namespace blip3u {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

/// Five chapters of unlike length, one corrupt sample, mixed 3 : 1 with an indexed set.
struct Mixed {
  Chapters chapters{{7, 1, 12, 3, 20}, {"2.5"}};
  Numbered numbered{11};
  std::vector<StreamSource> sources{{"stories", &chapters, 3}, {"numbers", &numbered, 1}};
  StreamOptions options{.seed = 3, .batch = 6, .window = 4, .ahead = 3, .corrupt_share = 0.2};
};

std::vector<std::string> take(SampleStream& stream, int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back(stream.next().sample.id);
  return ids;
}

std::vector<std::string> take(const std::vector<StreamSource>& sources, const StreamOptions& options, int count) {
  SampleStream stream(sources, options);
  return take(stream, count);
}

TEST(SampleStream, WorkersDoNotChangeTheOrder) {
  Mixed mixed;
  const auto alone = take(mixed.sources, mixed.options, 240);
  for (const std::int64_t workers : {1, 4}) {
    mixed.options.workers = workers;
    EXPECT_EQ(take(mixed.sources, mixed.options, 240), alone) << workers;
  }
}

TEST(SampleStream, TheRanksRowsTogetherAreTheBatch) {
  for (const std::int64_t lanes : {0, 2, 4, 12}) {  // also lanes that ranks share, and more of them than rows
    Mixed mixed;
    mixed.options.lanes = lanes;
    const auto alone = take(mixed.sources, mixed.options, 240);
    for (const std::int64_t ranks : {2, 3}) {
      std::vector<std::string> together(240);
      std::vector<StreamPosition> positions;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        mixed.options.rows = 6 / ranks;
        mixed.options.first_row = rank * mixed.options.rows;
        mixed.options.workers = rank;
        SampleStream stream(mixed.sources, mixed.options);
        for (std::int64_t i = 0; i < 240 / ranks; ++i) {
          auto row = stream.next();
          together[static_cast<std::size_t>(row.row)] = row.sample.id;
        }
        positions.push_back(stream.position());
      }
      EXPECT_EQ(together, alone) << lanes << " lanes, " << ranks << " ranks";

      // What the ranks saved is, put together, a position for one rank.
      Tensor lanes_of_all = to_tensors(positions[0])[1].value;
      for (const auto& position : positions) lanes_of_all = lanes_of_all.maximum(to_tensors(position)[1].value);
      const auto merged = position_from({to_tensors(positions[0])[0], {"data.lanes", lanes_of_all}});
      Mixed one;
      one.options.lanes = lanes;
      SampleStream whole(one.sources, one.options), resumed(one.sources, one.options, merged);
      take(whole, 240);
      EXPECT_EQ(take(resumed, 60), take(whole, 60)) << lanes << " lanes, " << ranks << " ranks";
    }
  }
}

TEST(SampleStream, GoesOnWithTheNextSampleWhereverItStops) {
  for (const std::int64_t workers : {0, 2}) {
    Mixed mixed;
    const auto alone = take(mixed.sources, mixed.options, 200);
    mixed.options.workers = workers;
    SampleStream stream(mixed.sources, mixed.options);
    for (int stop = 0; stop < 180; ++stop) {
      const auto saved = position_from(to_tensors(stream.position()));
      ASSERT_EQ(saved, stream.position());
      SampleStream resumed(mixed.sources, mixed.options, saved);
      const std::vector<std::string> expected(alone.begin() + stop, alone.begin() + stop + 20);
      ASSERT_EQ(take(resumed, 20), expected) << "stopped after " << stop;
      SampleStream uninterrupted(mixed.sources, mixed.options);
      take(uninterrupted, stop + 20);
      ASSERT_EQ(resumed.position(), uninterrupted.position()) << "stopped after " << stop;
      take(stream, 1);
    }
  }
}

const std::vector<std::int64_t> lengths = {7, 9, 12, 10, 20};

std::vector<std::string> ids_of_all_chapters() {
  std::vector<std::string> ids;
  for (std::size_t chapter = 0; chapter < lengths.size(); ++chapter) {
    for (int i = 0; i < lengths[chapter]; ++i) ids.push_back(std::to_string(chapter) + "." + std::to_string(i));
  }
  return ids;
}

TEST(SampleStream, ReadsEverySampleOfAPassOnce) {
  const Chapters chapters(lengths);
  for (const std::int64_t window : {1, 4, 100}) {
    SampleStream stream({{"stories", &chapters}}, {.seed = 9, .batch = 4, .lanes = 1, .window = window});
    for (int pass = 0; pass < 3; ++pass) {
      EXPECT_THAT(take(stream, 58), UnorderedElementsAreArray(ids_of_all_chapters())) << window;
    }
  }
}

TEST(SampleStream, LanesDivideAPass) {
  const Chapters chapters(lengths);
  for (const std::int64_t lanes : {2, 3, 5, 8}) {  // 8: more lanes than chapters
    SampleStream stream({{"stories", &chapters}}, {.seed = 9, .batch = lanes, .window = 100});
    std::vector<std::string> seen;
    std::vector<bool> done(static_cast<std::size_t>(lanes));
    while (std::ranges::count(done, false) > 0) {
      const auto row = stream.next();
      const auto lane = static_cast<std::size_t>(row.row % lanes);
      if (!done[lane]) seen.push_back(row.sample.id);
      // The window holds all that the lane reads in a pass.
      if (stream.position().lanes[lane][0].taken == 0) done[lane] = true;
    }
    EXPECT_THAT(seen, UnorderedElementsAreArray(ids_of_all_chapters())) << lanes;
  }
}

TEST(SampleStream, PassesOfAnIndexedSetFollowEachOther) {
  const Numbered numbered(10);
  SampleStream stream({{"numbers", &numbered}}, {.seed = 2, .batch = 4});
  auto first = take(stream, 10), second = take(stream, 10);
  EXPECT_NE(first, second);
  std::ranges::sort(first);
  std::ranges::sort(second);
  EXPECT_EQ(first, second);
  EXPECT_EQ(std::ranges::unique(first).size(), 0U);
}

TEST(SampleStream, ShufflesWithinTheWindow) {
  const Chapters chapters({64});
  const auto order = take({{"stories", &chapters}}, {.batch = 1, .window = 16}, 64);
  std::vector<std::int64_t> places;
  for (const auto& id : order) places.push_back(std::stoi(id.substr(2)));
  EXPECT_FALSE(std::ranges::is_sorted(places));
  for (std::size_t window = 0; window < 4; ++window) {
    auto first = places.begin() + static_cast<std::ptrdiff_t>(16 * window);
    std::sort(first, first + 16);
  }
  EXPECT_TRUE(std::ranges::is_sorted(places));  // nothing leaves its window
  const auto plain = take({{"stories", &chapters}}, {.batch = 1, .window = 1}, 3);
  EXPECT_THAT(plain, ElementsAre("0.0", "0.1", "0.2"));
}

TEST(SampleStream, TheSeedDecidesTheOrder) {
  Mixed mixed;
  const auto first = take(mixed.sources, mixed.options, 60);
  EXPECT_EQ(take(mixed.sources, mixed.options, 60), first);
  mixed.options.seed = 4;
  EXPECT_NE(take(mixed.sources, mixed.options, 60), first);
}

TEST(SampleStream, LanesShareFewChaptersFairly) {
  const Chapters chapters({30, 30});
  SampleStream stream({{"stories", &chapters}}, {.batch = 8, .window = 2});
  std::map<std::string, int> counts;
  for (const auto& id : take(stream, 6000)) ++counts[id];
  ASSERT_EQ(counts.size(), 60U);
  for (const auto& [id, count] : counts) EXPECT_NEAR(count, 100, 15) << id;
}

TEST(SampleStream, MixesByWeight) {
  Mixed mixed;
  SampleStream stream(mixed.sources, mixed.options);
  int stories = 0;
  constexpr int rows = 4000;
  for (int i = 0; i < rows; ++i) stories += stream.next().source == 0 ? 1 : 0;
  const double chi_square = std::pow(stories - 3000, 2) / 3000.0 + std::pow(1000 - stories + 2000, 2) / 1000.0;
  EXPECT_LT(chi_square, 10.8);  // 0.999 quantile at 1 degree of freedom
}

TEST(SampleStream, CountsAndNamesACorruptSampleOnce) {
  for (const std::int64_t workers : {0, 3}) {
    Mixed mixed;
    std::vector<std::string> named;
    mixed.options.workers = workers;
    mixed.options.corrupt = [&](const std::string& problem) { named.push_back(problem); };
    SampleStream stream(mixed.sources, mixed.options);
    EXPECT_THAT(take(stream, 300), testing::Not(Contains("2.5")));
    EXPECT_THAT(named, ElementsAre(HasSubstr("stories, chapter 2, sample 5: 2.5 is torn")));
    EXPECT_GE(stream.corrupt(), 3);  // once a pass
  }
}

TEST(SampleStream, RefusesWhenTooManyAreCorrupt) {
  std::set<std::int64_t> corrupt;
  for (std::int64_t i = 0; i < 100; i += 10) corrupt.insert(i);
  const Numbered numbered(100, corrupt);
  for (const std::int64_t workers : {0, 2}) {
    SampleStream stream({{"numbers", &numbered}}, {.batch = 4, .workers = workers});
    const std::string message = message_of([&] { take(stream, 200); });
    EXPECT_THAT(message, HasSubstr("samples are corrupt"));
    EXPECT_THAT(message, HasSubstr("is torn"));
    EXPECT_THAT(message, HasSubstr("corrupt_share"));
  }
  EXPECT_EQ(take({{"numbers", &numbered}}, {.batch = 4, .corrupt_share = 0.1}, 500).size(), 500U);
  const Numbered one(100, {50});
  EXPECT_NE(message_of([&] { take({{"numbers", &one}}, {.batch = 4, .corrupt_share = 0}, 100); }), "");
}

TEST(SampleStream, RefusesSourcesThatGiveNothing) {
  const Numbered none(0), torn(2, {0, 1});
  const Chapters no_chapters({}), hollow({0, 0}), torn_chapter({1}, {"0.0"});
  EXPECT_THAT(message_of([&] { SampleStream({{"numbers", &none}}, {}); }), HasSubstr("numbers is empty"));
  EXPECT_THAT(message_of([&] { SampleStream({{"stories", &no_chapters}}, {}); }), HasSubstr("stories is empty"));
  for (const std::int64_t workers : {0, 1}) {
    const StreamOptions options{.batch = 3, .workers = workers};
    EXPECT_THAT(message_of([&] { take({{"stories", &hollow}}, options, 1); }), HasSubstr("no sound sample"));
    EXPECT_THAT(message_of([&] { take({{"stories", &torn_chapter}}, options, 1); }), HasSubstr("0.0 is torn"));
    EXPECT_THAT(message_of([&] { take({{"numbers", &torn}}, options, 1); }), HasSubstr("is torn"));
  }
}

TEST(SampleStream, RefusesAForeignPosition) {
  Mixed mixed;
  SampleStream stream(mixed.sources, mixed.options);
  take(stream, 10);
  mixed.options.lanes = 3;
  EXPECT_THAT(message_of([&] { SampleStream(mixed.sources, mixed.options, stream.position()); }),
              HasSubstr("not of 3 lanes"));
  EXPECT_THAT(message_of([&] { SampleStream({mixed.sources[0]}, {.batch = 6}, stream.position()); }),
              HasSubstr("1 sources"));
  EXPECT_THAT(message_of([] { position_from({}); }), HasSubstr("data.row"));
}

TEST(SampleStream, EndsItsThreadsUnasked) {
  Mixed mixed;
  mixed.options.workers = 4;
  for (int i = 0; i < 20; ++i) {
    SampleStream stream(mixed.sources, mixed.options);
    take(stream, i % 3);
  }
}

TEST(Reader, SkipsCorruptSamplesToo) {
  const Chapters chapters({6}, {"0.1"});
  const auto reader = chapters.open(Split::train, 0);
  reader->skip(3);
  EXPECT_EQ(reader->next()->id, "0.3");
  reader->skip(10);
  EXPECT_FALSE(reader->next());
}

}  // namespace
}  // namespace blip3u
