#include "registry/registry.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/hash.h"
#include "registry/support.h"

namespace blip3u::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Files below `folder` that this process has mapped, which is how an opened library shows.
std::set<std::string> opened(const std::filesystem::path& folder) {
  std::set<std::string> names;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto at = line.find(folder.string() + "/");
    if (at != std::string::npos) names.insert(std::filesystem::path(line.substr(at)).filename());
  }
  return names;
}

TEST(Registry, OpensExactlyTheLibraryThatTheNameSays) {
  const TemporaryFolder folder("blip3u-registry-5");
  add(folder, broken("sound"));
  add(folder, broken("throwing"));
  folder.write("garbage.so", "x");
  Registry registry({folder.path()});
  EXPECT_THAT(opened(folder.path()), IsEmpty()) << "a library was opened before it was asked for";
  const CatalogEntry entry = registry.find(Kind::sampler, "throwing/own");
  ASSERT_TRUE(entry.component);
  EXPECT_STREQ(entry.component->name, "own");
  EXPECT_EQ(entry.library_path, (folder.path() / "throwing.so").string());
  EXPECT_EQ(entry.library_version, "1.0.0");
  EXPECT_EQ(entry.library_hash, sha256_file(folder.path() / "throwing.so"));
  EXPECT_THAT(opened(folder.path()), ElementsAre("throwing.so"));
}

TEST(Registry, KeepsLibrariesOpen) {
  const TemporaryFolder folder("blip3u-registry-6");
  add(folder, broken("sound"));
  { Registry({folder.path()}).list(); }
  EXPECT_THAT(opened(folder.path()), ElementsAre("sound.so"));
}

TEST(Registry, FindsByKindAndName) {
  const TemporaryFolder folder("blip3u-registry-7");
  add(folder, broken("sound"));
  Registry registry({folder.path()});
  EXPECT_EQ(registry.find(Kind::sampler, "sound").component, registry.find(Kind::sampler, "sound/sound").component);
  EXPECT_STREQ(registry.find(Kind::decoder, "sound").component->summary, "A decoder for tests.");
  EXPECT_TRUE(registry.find(Kind::task, "sound/other").component);
  EXPECT_FALSE(registry.find(Kind::task, "other").component) << "only name/name may be shortened";
  EXPECT_FALSE(registry.find(Kind::encoder, "sound").component);
  for (const char* name : {"", "absent", "sound/absent", "sound/", "/sound", "../sound", "a/b/c", "./sound"}) {
    EXPECT_FALSE(registry.find(Kind::sampler, name).component) << name;
  }
  EXPECT_THAT(registry.names(Kind::task), ElementsAre("sound/other"));
  EXPECT_THAT(registry.names(Kind::decoder), ElementsAre("sound"));
}

TEST(Registry, AFailedLibraryIsAnEntryWithItsReason) {
  const TemporaryFolder folder("blip3u-registry-8");
  add(folder, broken("sound"));
  add(folder, broken("twins"));
  folder.write("text.so", "hello");
  folder.write("notes.txt", "not a library, and not named like one");
  std::filesystem::create_directory(folder.path() / "sub.so");
  Registry registry({folder.path()});
  const auto libraries = registry.list();
  ASSERT_EQ(libraries.size(), 4U);
  for (const PluginLibrary& library : libraries) {
    EXPECT_EQ(library.descriptor == nullptr, library.name != "sound");
    EXPECT_EQ(library.failure.empty(), library.name == "sound");
  }
  EXPECT_THAT(libraries[3].failure, HasSubstr("two components"));
  EXPECT_THAT(registry.names(Kind::sampler), ElementsAre("sound"));
  const auto error = error_of([&] { registry.find(Kind::sampler, "twins/heun"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault(), Fault::plugin);
  EXPECT_EQ(error->what(), libraries[3].failure);
}

TEST(Registry, TwoLibrariesOfOneNameAreAnError) {
  const TemporaryFolder first("blip3u-registry-first"), second("blip3u-registry-second");
  const auto one = add(first, broken("sound")), two = add(second, broken("sound"));
  std::ofstream(two, std::ios::app) << "another build";
  Registry registry({first.path()});
  EXPECT_TRUE(registry.find(Kind::sampler, "sound").component);
  registry.add_folder(second.path());
  const auto error = error_of([&] { registry.find(Kind::sampler, "sound"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->what(), "two libraries named sound: " + one.string() + " and " + two.string() + "; remove one");
  ASSERT_EQ(registry.list().size(), 1U);
  EXPECT_EQ(registry.list()[0].failure, error->what());
}

TEST(Registry, TheSameLibraryInTwoFoldersIsOneLibrary) {
  const TemporaryFolder first("blip3u-registry-first"), second("blip3u-registry-second");
  const auto one = add(first, broken("sound"));
  add(second, broken("sound"));
  Registry registry({first.path(), second.path()});
  EXPECT_EQ(registry.find(Kind::sampler, "sound").library_path, one.string());
}

TEST(Registry, TheSameFolderTwiceIsOneFolder) {
  const TemporaryFolder folder("blip3u-registry-9");
  add(folder, broken("sound"));
  const TemporaryFolder other("blip3u-registry-10");
  std::filesystem::create_directory_symlink(folder.path(), other.path() / "link");
  Registry registry({folder.path(), folder.path() / ".", other.path() / "link"});
  EXPECT_TRUE(registry.find(Kind::sampler, "sound").component);
}

TEST(Registry, AMissingFolderIsAnError) {
  const auto error = error_of([] { Registry({"/nonexistent/plugins"}); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault(), Fault::plugin);
  EXPECT_THAT(error->what(), HasSubstr("/nonexistent/plugins: no such plugin folder; "));
}

TEST(Registry, TheEnvironmentReplacesTheProgramsFolder) {
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  unsetenv("BLIP3U_PLUGIN_PATH");
  EXPECT_THAT(default_plugin_folders(), ElementsAre(beside / "lib" / "blip3u" / "plugins"));
  setenv("BLIP3U_PLUGIN_PATH", "/a::/b/c:", 1);
  EXPECT_THAT(default_plugin_folders(), ElementsAre("/a", "/b/c"));
  unsetenv("BLIP3U_PLUGIN_PATH");
}

TEST(Registry, LoadsEveryPluginOfTheToolkit) {
  std::vector<std::string> names;
  for (const PluginLibrary& library : Registry({BLIP3U_PLUGIN_FOLDER}).list()) {
    EXPECT_TRUE(library.descriptor) << library.failure;
    names.push_back(library.name);
  }
  EXPECT_THAT(names, ElementsAre("cfg", "chat", "clip", "ddpm", "dit", "easy_vqa", "edit", "flow_matching", "gpt",
                                 "image_folder", "mlp", "patch_decoder", "pixels", "regression", "scenes", "tasks",
                                 "unclip", "vae", "words"));
}

}  // namespace
}  // namespace blip3u::testing
