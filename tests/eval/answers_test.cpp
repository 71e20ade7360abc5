#include "eval/answers.h"

#include <gtest/gtest.h>

namespace blip3u::eval {
namespace {

TEST(Answers, AreComparedByTheirWords) {
  EXPECT_EQ(plain_answer("  Two red\tstars. "), "two red stars");
  EXPECT_EQ(plain_answer("No!"), "no");
  EXPECT_EQ(plain_answer("?"), "");
}

}  // namespace
}  // namespace blip3u::eval
