#include "blip3u/chat.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "blip3u/image.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Chat : public testing::Test {
 protected:
  Chat() {
    write_png(folder_ / "a.png", at::full({3, 4, 6}, 1.0));
    write_png(folder_ / "b.png", at::full({3, 5, 3}, -1.0));
  }

  Sample parse(const std::string& line) const { return parse_chat(line, folder_.path(), "chat.jsonl:4"); }
  std::string failure(const std::string& line) const {
    return message_of([&] { parse(line); });
  }

  TemporaryFolder folder_{"blip3u-chat"};
};

TEST_F(Chat, ReadsAnEdit) {
  const Sample sample = parse(
      R"({"id": "e1", "messages": [{"role": "system", "content": "Edit."}, {"role": "user", "content":
      [{"type": "image", "image": "a.png"}, {"type": "text", "text": "darker"}]}, {"role": "assistant", "content":
      [{"type": "text", "text": "so:", "weight": 0.25}, {"type": "image", "image": "b.png"}]}],
      "captions": ["white", "black"], "labels": {"kind_of_edit": "tone"}, "source": "web"})");
  EXPECT_EQ(sample.id, "e1");
  ASSERT_EQ(sample.messages.size(), 3U);
  EXPECT_EQ(sample.messages[0].role, Role::system);
  EXPECT_EQ(sample.messages[0].content.at(0).text, "Edit.");
  EXPECT_EQ(sample.messages[1].content.at(0).image, 0);
  EXPECT_EQ(sample.messages[1].content.at(0).weight, 0);
  EXPECT_EQ(sample.messages[1].content.at(1).text, "darker");
  EXPECT_EQ(sample.messages[2].content.at(0).weight, 0.25F);
  EXPECT_EQ(sample.messages[2].content.at(1).image, 1);
  EXPECT_EQ(sample.messages[2].content.at(1).weight, 1);
  ASSERT_EQ(sample.images.size(), 2U);
  EXPECT_EQ(sample.images[0].sizes(), (std::vector<std::int64_t>{3, 4, 6}));
  EXPECT_EQ(sample.images[0].scalar_type(), at::kByte);
  EXPECT_EQ(sample.images[0].min().item<int>(), 255);
  EXPECT_EQ(sample.images[1].max().item<int>(), 0);
  EXPECT_EQ(sample.captions.at(1), "black");
  EXPECT_EQ(sample.labels.at(0).second, "tone");
}

TEST_F(Chat, ReadsAListOfImages) {
  const Sample sample = parse(
      R"({"images": ["a.png", "b.png"], "messages": [{"role": "user", "content": [{"type": "image"},
      {"type": "image"}, {"type": "image", "image": 0}, {"type": "text", "text": "alike?"}]},
      {"role": "assistant", "content": "no"}]})");
  EXPECT_EQ(sample.id, "chat.jsonl:4");
  EXPECT_EQ(sample.images.size(), 2U);
  EXPECT_EQ(sample.messages[0].content.at(1).image, 1);
  EXPECT_EQ(sample.messages[0].content.at(2).image, 0);
  EXPECT_EQ(sample.messages[1].content.at(0).weight, 1);
}

TEST_F(Chat, SaysWhereALineIsWrong) {
  const auto user = [](const std::string& content) {
    return R"({"messages": [{"role": "user", "content": )" + content + "}]}";
  };
  EXPECT_THAT(failure("{\"id\": 1,}"), AllOf(HasSubstr("chat.jsonl:4:10: not JSON"), HasSubstr("; mend")));
  EXPECT_THAT(failure("[]"), HasSubstr("chat.jsonl:4: this line is not a JSON object"));
  EXPECT_THAT(failure("{}"), HasSubstr("\"messages\" is missing"));
  EXPECT_THAT(failure(R"({"messages": []})"), HasSubstr("it has no messages"));
  EXPECT_THAT(failure(R"({"id": [], "messages": []})"), HasSubstr("\"id\""));
  EXPECT_THAT(failure(R"({"messages": [{"role": "human", "content": "x"}]})"), HasSubstr("'human'; write system"));
  EXPECT_THAT(failure(R"({"messages": [{"role": "user"}]})"), HasSubstr("\"content\" is missing"));
  EXPECT_THAT(failure(user("3")), HasSubstr("\"content\" is not a list"));
  EXPECT_THAT(failure(user(R"([{"type": "video"}])")), HasSubstr("'video'; write text or image"));
  EXPECT_THAT(failure(user(R"([{"type": "text"}])")), HasSubstr("\"text\" is missing"));
  EXPECT_THAT(failure(user(R"([{"type": "text", "text": "x", "weight": 1}])")), HasSubstr("not the assistant's"));
  EXPECT_THAT(failure(user(R"([{"type": "text", "text": "x", "weight": "1"}])")), HasSubstr("\"weight\" is not"));
  EXPECT_THAT(failure(user(R"([{"type": "image", "image": 2}])")), HasSubstr("image 2, but there are 0"));
  EXPECT_THAT(failure(user(R"([{"type": "image", "image": "../a.png"}])")), HasSubstr("not inside the folder"));
  EXPECT_THAT(failure(user(R"([{"type": "image", "image": "c.png"}])")),
              AllOf(HasSubstr("jsonl:4: "), HasSubstr("c.png")));
  EXPECT_THAT(failure(user("\"\xff\"")), HasSubstr("chat.jsonl:4:"));
}

TEST_F(Chat, ReadsAFileAndStandsBehindWhatIsWrong) {
  const std::string line = R"({"messages": [{"role": "user", "content": "hello"}]})";
  folder_.write("chat.jsonl", "\xEF\xBB\xBF" + line + "\r\n\n{\n" + line + "\n   \n" + line);
  const auto name = (folder_ / "chat.jsonl").string();
  ChatReader reader(name);
  EXPECT_EQ(reader.next()->id, name + ":1");
  EXPECT_THAT(message_of([&] { reader.next(); }), HasSubstr("chat.jsonl:3:"));
  EXPECT_EQ(reader.next()->id, name + ":4");
  EXPECT_EQ(reader.next()->id, name + ":6");
  EXPECT_FALSE(reader.next());
  ChatReader skipping(name);
  skipping.skip(2);
  EXPECT_EQ(skipping.next()->id, name + ":4");
  skipping.skip(5);
  EXPECT_FALSE(skipping.next());
  EXPECT_THAT(message_of([&] { ChatReader(folder_ / "none.jsonl"); }), HasSubstr("none.jsonl cannot be read"));
}

}  // namespace
}  // namespace blip3u
