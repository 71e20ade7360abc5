#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "blip3u/dataset.h"
#include "blip3u/image.h"
#include "components.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ChatFolder : public testing::Test {
 protected:
  static std::string line(const std::string& id, const std::string& answer) {
    return R"({"id": ")" + id + R"(", "messages": [{"role": "user", "content": [{"type": "image", "image": "a.png"},
      {"type": "text", "text": "what?"}]}, {"role": "assistant", "content": ")" +
           answer + "\"}]}\n";
  }
  static std::string one_line(std::string text) {
    std::erase(text, '\n');
    return text + "\n";
  }

  ChatFolder() {
    write_png(folder_ / "a.png", at::full({3, 4, 6}, 1.0));
    folder_.write("b.jsonl", one_line(line("1", "white")) + "{broken\n" + one_line(line("2", "white")));
    folder_.write("a.jsonl", one_line(line("0", "pale")));
    folder_.write("test.jsonl", one_line(line("3", "white")));
    folder_.write("notes.txt", "no conversation");
  }
  std::unique_ptr<Dataset> open() const {
    return make<Dataset>(Kind::dataset, "chat", {{"path", folder_.path().string()}});
  }

  TemporaryFolder folder_{"blip3u-chat-set"};
};

TEST_F(ChatFolder, HasAChapterForEachFile) {
  const auto dataset = open();
  std::vector<std::string> names;
  for (const Chapter& chapter : dataset->chapters(Split::train)) names.push_back(chapter.name);
  EXPECT_THAT(names, ElementsAre("a.jsonl", "b.jsonl"));
  ASSERT_EQ(dataset->chapters(Split::test).size(), 1U);
  const auto reader = dataset->open(Split::train, 1);
  const Sample sample = *reader->next();
  EXPECT_EQ(sample.id, "1");
  EXPECT_EQ(problem_of(sample), "");
  EXPECT_EQ(sample.images.at(0).sizes(), (std::vector<std::int64_t>{3, 4, 6}));
  EXPECT_THAT(message_of([&] { reader->next(); }), HasSubstr("b.jsonl:2"));
  EXPECT_EQ(reader->next()->id, "2") << "it stands behind the corrupt line";
  EXPECT_FALSE(reader->next());
}

TEST_F(ChatFolder, FingerprintFollowsTheFiles) {
  const std::string before = open()->fingerprint();
  EXPECT_EQ(open()->fingerprint(), before);
  folder_.write("a.jsonl", one_line(line("0", "bright")));
  EXPECT_NE(open()->fingerprint(), before);
}

TEST_F(ChatFolder, FingerprintFollowsThePictures) {
  const std::string before = open()->fingerprint();
  const auto written = std::filesystem::last_write_time(folder_ / "a.png");
  write_png(folder_ / "a.png", at::full({3, 4, 6}, -1.0));
  std::filesystem::last_write_time(folder_ / "a.png", written + std::chrono::seconds(1));
  const std::string replaced = open()->fingerprint();
  EXPECT_NE(replaced, before);
  std::filesystem::create_directory(folder_ / "deep");
  write_png(folder_ / "deep/b.JPG", at::full({3, 4, 6}, 1.0));
  EXPECT_NE(open()->fingerprint(), replaced);
}

TEST_F(ChatFolder, TrainsOnWhatIsCalledSo) {
  const auto trained_on = [&] {
    std::vector<std::string> names;
    for (const Chapter& chapter : open()->chapters(Split::train)) names.push_back(chapter.name);
    return names;
  };
  for (const char* name : {"val.jsonl", "validation-0.jsonl"}) folder_.write(name, "{broken\n");
  EXPECT_THAT(trained_on(), ElementsAre("a.jsonl", "b.jsonl"));
  for (const char* name : {"train-1.jsonl", "train-0.jsonl"}) folder_.write(name, one_line(line("4", "white")));
  EXPECT_THAT(trained_on(), ElementsAre("train-0.jsonl", "train-1.jsonl"));
}

TEST_F(ChatFolder, SaysWhatIsMissing) {
  EXPECT_THAT(message_of([] {
                make<Dataset>(Kind::dataset, "chat", {{"path", std::string("/nowhere")}});
              }),
              HasSubstr("/nowhere: No such file or directory; point `path`"));
  for (const char* file : {"a.jsonl", "b.jsonl"}) std::filesystem::remove(folder_ / file);
  EXPECT_THAT(message_of([&] { open(); }), HasSubstr("holds no .jsonl file to train on"));
}

}  // namespace
}  // namespace blip3u
