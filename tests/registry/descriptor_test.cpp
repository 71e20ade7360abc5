// Each field of a descriptor that is wrong is refused, and the message says which.
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/load.h"
#include "registry/support.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Component> plain(const Parameters&, const BuildContext&) { return std::make_unique<Component>(); }

/// A sound descriptor whose parts a test may spoil.
struct Draft {
  const char* choices[2] = {"a", "b"};
  ParameterSpec parameters[2] = {integer("size", 4, 1, 8, "How large."), text("mode", "a", "Which one.", choices)};
  const char* provides[1] = {"stream"};
  const char* losses[1] = {"contrast"};
  ComponentDescriptor components[2] = {
      {.kind = Kind::encoder,
       .name = "one",
       .summary = "One.",
       .provides = provides,
       .parameters = parameters,
       .losses = losses,
       .create = plain},
      {.kind = Kind::decoder, .name = "one", .summary = "Other kind.", .create = plain}};
  PluginDescriptor plugin{interface_version, sizeof(PluginDescriptor), BLIP3U_BUILD_STAMP, "acme", "1.0", "MIT",
                          components};
};

void expect_refused(const std::function<void(Draft&)>& spoil, const std::string& reason) {
  Draft draft;
  spoil(draft);
  const auto error = error_of([&] { check_descriptor("/plugins/acme.so", &draft.plugin); });
  ASSERT_TRUE(error) << "accepted, expected: " << reason;
  EXPECT_EQ(error->fault(), Fault::plugin);
  EXPECT_THAT(error->what(), HasSubstr("/plugins/acme.so: "));
  EXPECT_THAT(error->what(), HasSubstr(reason));
  EXPECT_THAT(error->what(), HasSubstr("; ")) << "no word on how to mend it";
}

TEST(Descriptor, AcceptsASoundOne) {
  const Draft draft;
  EXPECT_NO_THROW(check_descriptor("/plugins/acme.so", &draft.plugin));
}

TEST(Descriptor, ChecksTheLibrary) {
  EXPECT_TRUE(error_of([] { check_descriptor("/plugins/acme.so", nullptr); }));
  expect_refused([](Draft& d) { d.plugin.interface_version += 1; }, "interface version");
  expect_refused([](Draft& d) { d.plugin.size = 8; }, "has 8 bytes");
  expect_refused([](Draft& d) { d.plugin.build_stamp = "other"; }, "built for \"other\"");
  expect_refused([](Draft& d) { d.plugin.build_stamp = nullptr; }, "built for \"\"");
  expect_refused([](Draft& d) { d.plugin.name = nullptr; }, "library has no name");
  expect_refused([](Draft& d) { d.plugin.name = "Acme"; }, "`Acme` is not well formed");
  expect_refused([](Draft& d) { d.plugin.name = "other"; }, "holds the library `other`");
  expect_refused([](Draft& d) { d.plugin.version = nullptr; }, "version is missing");
  expect_refused([](Draft& d) { d.plugin.license = ""; }, "license is missing");
  expect_refused([](Draft& d) { d.plugin.components = {}; }, "no components");
}

TEST(Descriptor, ChecksComponents) {
  expect_refused([](Draft& d) { d.components[0].name = nullptr; }, "component has no name");
  expect_refused([](Draft& d) { d.components[0].name = "a/b"; }, "`a/b` is not well formed");
  expect_refused([](Draft& d) { d.components[0].kind = static_cast<Kind>(99); }, "unknown kind 99");
  expect_refused([](Draft& d) { d.components[1].kind = Kind::encoder; }, "two components encoder `one`");
  expect_refused([](Draft& d) { d.components[0].summary = nullptr; }, "summary of component `one`");
  expect_refused([](Draft& d) { d.components[0].summary = " "; }, "summary of component `one`");
  expect_refused([](Draft& d) { d.components[0].create = nullptr; }, "no factory");
  expect_refused([](Draft& d) { d.provides[0] = nullptr; }, "`one` provides has an empty entry");
  expect_refused([](Draft& d) { d.losses[0] = nullptr; }, "losses");
}

TEST(Descriptor, ChecksParameters) {
  expect_refused([](Draft& d) { d.parameters[0].name = "Size"; }, "`Size` is not well formed");
  expect_refused([](Draft& d) { d.parameters[1].name = "size"; }, "parameter `size` twice");
  expect_refused([](Draft& d) { d.parameters[0].type = static_cast<ParameterType>(9); }, "unknown type");
  expect_refused([](Draft& d) { d.parameters[0].documentation = nullptr; }, "documentation of parameter `size`");
  expect_refused([](Draft& d) { d.parameters[0].minimum = 9; }, "empty range 9 to 8");
  expect_refused([](Draft& d) { d.parameters[0].default_number = 0; }, "default of parameter `size`");
  expect_refused([](Draft& d) { d.parameters[1].default_text = "c"; }, "default of parameter `mode`");
  expect_refused([](Draft& d) { d.parameters[1].default_text = nullptr; }, "null default");
  expect_refused([](Draft& d) { d.choices[1] = ""; }, "choices of parameter `mode`");
  Draft draft;
  draft.parameters[0] = required(draft.parameters[0]);
  draft.parameters[0].default_number = 0;  // never used
  EXPECT_NO_THROW(check_descriptor("/plugins/acme.so", &draft.plugin));
}

TEST(Descriptor, NamesAreLowerCase) {
  for (const char* good : {"a", "clip", "flow_matching", "qwen2_5_vl"}) EXPECT_TRUE(well_formed_name(good)) << good;
  for (const char* bad : {"", "Clip", "2d", "_a", "a-b", "a.b", "../a", "a b", "\xc3\xa9"}) {
    EXPECT_FALSE(well_formed_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace blip3u::testing
