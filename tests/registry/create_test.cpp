// What a factory does wrong is reported as the plugin's fault, by name.
#include "pipeline/create.h"

#include <new>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blip3u/sampler.h"
#include "registry/registry.h"
#include "registry/support.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Create : public ::testing::Test {
 protected:
  std::unique_ptr<Component> make(const std::string& component) {
    const std::string name = "throwing/" + component;
    return create_component(registry_.find(Kind::sampler, name), name, {}, {});
  }
  void expect_plugin_fault(const std::string& component, const std::string& reason) {
    const auto error = error_of([&] { make(component); });
    ASSERT_TRUE(error) << component;
    EXPECT_EQ(error->fault(), Fault::plugin);
    EXPECT_THAT(error->what(), HasSubstr(broken("throwing").string() + ": "));
    EXPECT_THAT(error->what(), HasSubstr("sampler `throwing/" + component + "`"));
    EXPECT_THAT(error->what(), HasSubstr(reason));
    EXPECT_THAT(error->what(), Not(HasSubstr("\n")));
  }
  Registry registry_{{broken("throwing").parent_path()}};
};

TEST_F(Create, ForeignExceptionsAreThePluginsFault) {
  expect_plugin_fault("foreign", "index 7");
  expect_plugin_fault("torch", "shapes differ");
  expect_plugin_fault("number", "not a std::exception");
  expect_plugin_fault("null", "returned nothing");
}

TEST_F(Create, ErrorsOfTheToolkitPassUnchanged) {
  const auto error = error_of([&] { make("own"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault(), Fault::runtime);
  EXPECT_STREQ(error->what(), "data.txt: no such file; make it");
  EXPECT_THROW(make("memory"), std::bad_alloc);
}

TEST_F(Create, AnObjectOfAnotherKindIsThePluginsFault) {
  EXPECT_TRUE(make("plain"));
  const auto error = error_of(
      [&] { create_component<Sampler>(registry_.find(Kind::sampler, "throwing/plain"), "throwing/plain", {}, {}); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault(), Fault::plugin);
  EXPECT_THAT(error->what(), HasSubstr("sampler `throwing/plain` made an object of another kind"));
}

}  // namespace
}  // namespace blip3u::testing
