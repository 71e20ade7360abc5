#include "../../eval/src/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u::eval::html {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Html, FillsATemplateIn) {
  const TemporaryFolder folder;
  const auto file = folder.write("page.html",
                                 "{{text}}|{{{text}}}|{{count}}|{{#rows}}{{name}}{{#last}}!{{/last}};{{/rows}}"
                                 "{{^none}}none{{/none}}{{#empty}}shown{{/empty}}{{#null}}shown{{/null}}");
  const nlohmann::json values = {{"text", "<{{count}}>"},
                                 {"count", 3},
                                 {"rows", {{{"name", "a"}, {"last", false}}, {{"name", "b"}, {"last", true}}}},
                                 {"none", nlohmann::json::array()},
                                 {"empty", ""},
                                 {"null", nullptr}};
  EXPECT_EQ(fill_in(file, values), "&lt;{{count}}&gt;|<{{count}}>|3|a;b!;none");
}

TEST(Html, SaysWhichTemplateIsMissingOrDamaged) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of([&] { fill_in(folder / "none.html", {}); }), HasSubstr("none.html: cannot be opened"));
  const auto file = folder.write("open.html", "{{#rows}}");
  EXPECT_THAT(message_of([&] { fill_in(file, {}); }),
              AllOf(HasSubstr("open.html: not a template: "), HasSubstr("install BLIP3-U anew")));
}

}  // namespace
}  // namespace blip3u::eval::html
