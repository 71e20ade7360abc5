#include "pipeline/texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/error.h"
#include "message_of.h"

namespace blip3u::testing {
namespace {

/// A token for every byte.
class Bytes final : public Tokenizer {
 public:
  std::string serialize() const override { return {}; }
  void restore(const std::string&) override {}
  std::int64_t vocabulary() const override { return 256; }
  std::vector<std::int64_t> encode(std::string_view text) const override { return {text.begin(), text.end()}; }
  std::string decode(const std::vector<std::int64_t>& ids) const override { return {ids.begin(), ids.end()}; }
};

TEST(Texts, ATextThatIsTooLongIsRefused) {
  const Bytes tokenizer;
  const std::size_t frame = frame_text(tokenizer, "").size();
  const std::string longest(static_cast<std::size_t>(longest_text) - frame, 'x');
  EXPECT_EQ(std::ssize(frame_text(tokenizer, longest)), longest_text);
  EXPECT_EQ(message_of([&] { frame_text(tokenizer, longest + "x"); }),
            "a text of 4097 tokens is too long: 4096 fit, its beginning and end included; shorten it");
}

}  // namespace
}  // namespace blip3u::testing
