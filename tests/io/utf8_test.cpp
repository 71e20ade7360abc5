#include "blip3u/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace blip3u::testing {
namespace {

TEST(Utf8, AcceptsTheFirstAndLastCharacterOfEachLength) {
  for (const char* text : {"", "\x01\x7F", "\xC2\x80\xDF\xBF", "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
                           "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(first_not_utf8(text), std::string::npos);
  }
}

// Table 3-7 of the Unicode standard, "well-formed UTF-8 byte sequences": what lies just beyond each of its bounds.
TEST(Utf8, FindsWhatIsNone) {
  for (const char* wrong :
       {"\x80", "\xC1\xBF", "\xC2", "\xC2\x7F", "\xC2\xC0", "\xE0\x9F\xBF", "\xE1\x80", "\xED\xA0\x80", "\xEF\x80\x7F",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(first_not_utf8("ä" + std::string(wrong)), 2U);
  }
  EXPECT_EQ(first_not_utf8(std::string("a\0b", 3)), 1U);
}

TEST(Utf8, CountsCharactersByTheirFirstBytes) {
  EXPECT_TRUE(begins_character('a'));
  EXPECT_TRUE(begins_character('\xC3'));
  EXPECT_FALSE(begins_character('\xA4'));
}

}  // namespace
}  // namespace blip3u::testing
