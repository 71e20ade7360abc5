// Parameters against their declarations.
#include "blip3u/parameters.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/error.h"

namespace {

using blip3u::check_value;
using blip3u::Parameters;
using testing::ElementsAre;

constexpr const char* colours[] = {"red", "blue"};
constexpr blip3u::ParameterSpec schema[] = {
    blip3u::boolean("flag", true, ""),        blip3u::integer("count", 5, 1, 9, ""),
    blip3u::number("rate", 0.5, 0, 1, ""),    blip3u::text("colour", "red", "", colours),
    blip3u::texts("names", " a,b c , d", ""), blip3u::required(blip3u::integer("needed", 0, 0, 1, "")),
    blip3u::path("file", "data/x", ""),       blip3u::numbers("rates", "0.1, 2", 0, 2, ""),
};

TEST(Parameters, DefaultsOfEveryType) {
  const Parameters defaults = Parameters::defaults(schema);
  EXPECT_TRUE(defaults.boolean("flag"));
  EXPECT_EQ(defaults.integer("count"), 5);
  EXPECT_EQ(defaults.number("rate"), 0.5);
  EXPECT_EQ(defaults.text("colour"), "red");
  EXPECT_THAT(defaults.texts("names"), ElementsAre("a", "b c", "d"));
  EXPECT_EQ(defaults.text("file"), "data/x");
  EXPECT_THAT(defaults.numbers("rates"), ElementsAre(0.1, 2));
  EXPECT_EQ(check_value(schema[7], std::vector<double>{1, 3}), "holds a number that must be between 0 and 2, is 3");
  EXPECT_NE(check_value(schema[7], default_value(blip3u::numbers("none", "0.1, x", 0, 2, ""))), "");
  EXPECT_FALSE(defaults.values().contains("needed"));
  EXPECT_THAT(std::get<std::vector<std::string>>(default_value(blip3u::texts("none", "", ""))), ElementsAre());
}

TEST(Parameters, AskingForWhatIsNotDeclaredIsThePluginsFault) {
  const Parameters defaults = Parameters::defaults(schema);
  for (const auto& ask : std::vector<std::function<void()>>{[&] { (void)defaults.integer("other"); },
                                                            [&] { (void)defaults.integer("rate"); },
                                                            [&] { (void)defaults.number("count"); }}) {
    try {
      ask();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const blip3u::Error& error) {
      EXPECT_EQ(error.fault(), blip3u::Fault::plugin);
    }
  }
}

TEST(Parameters, ValuesAreChecked) {
  EXPECT_EQ(check_value(schema[1], std::int64_t{9}), "");
  EXPECT_EQ(check_value(schema[1], std::int64_t{10}), "must be between 1 and 9, is 10");
  EXPECT_EQ(check_value(schema[1], 5.0), "must be a whole number");
  EXPECT_EQ(check_value(schema[2], 1.5), "must be between 0 and 1, is 1.5");
  EXPECT_EQ(check_value(schema[2], std::nan("")), "must be a finite number, is nan");
  EXPECT_EQ(check_value(schema[3], std::string("green")), "must be one of red, blue, is `green`");
  EXPECT_EQ(check_value(schema[3], std::string("\x1B[31m")), "must be one of red, blue, is `?[31m`");
  EXPECT_EQ(check_value(schema[4], std::vector<std::string>{"anything"}), "");
  EXPECT_EQ(check_value(schema[4], true), "must be a list of texts");
  EXPECT_EQ(check_value(schema[0], std::string("true")), "must be true or false");
  EXPECT_EQ(check_value(blip3u::texts("t", "", "", colours), std::vector<std::string>{"red", "x"}),
            "must be one of red, blue, is `x`");
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(check_value(blip3u::number("n", 0, 0, infinity, ""), -1.0), "must be at least 0, is -1");
  EXPECT_EQ(check_value(blip3u::number("n", 0, -infinity, 0, ""), 1.0), "must be at most 0, is 1");
}

}  // namespace
