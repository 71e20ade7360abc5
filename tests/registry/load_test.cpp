// Every way in which a plugin library can be wrong is one message that names the file, the reason and the way out.
#include "registry/load.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files.h"
#include "io/support.h"
#include "registry/support.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;

/// Expects `file` to be refused as "FILE: ...reason...; ...mend...".
void expect_refused(const std::filesystem::path& file, const std::vector<std::string>& reason,
                    const std::string& mend) {
  const auto error = error_of([&] { load_plugin(file); });
  ASSERT_TRUE(error) << file << " was loaded";
  const std::string message = error->what();
  EXPECT_EQ(error->fault(), Fault::plugin) << message;
  EXPECT_TRUE(message.starts_with(file.string() + ": ")) << message;
  for (const std::string& part : reason) EXPECT_THAT(message, HasSubstr(part));
  const auto semicolon = message.rfind("; ");
  ASSERT_NE(semicolon, std::string::npos) << message;
  EXPECT_THAT(message.substr(semicolon), HasSubstr(mend));
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(Load, AcceptsASoundLibrary) {
  const PluginDescriptor& descriptor = load_plugin(broken("sound"));
  EXPECT_STREQ(descriptor.name, "sound");
  EXPECT_EQ(descriptor.components.size(), 3U);
  EXPECT_EQ(&load_plugin(broken("sound")), &descriptor) << "the library was opened a second time";
}

TEST(Load, RefusesWhatIsNotAReadableLibrary) {
  const TemporaryFolder folder("blip3u-registry-1");
  expect_refused(folder.path() / "missing.so", {"no such file"}, "built");
  std::filesystem::create_symlink("nowhere", folder.path() / "dangling.so");
  expect_refused(folder.path() / "dangling.so", {"no such file"}, "built");
  std::filesystem::create_directory(folder.path() / "folder.so");
  expect_refused(folder.path() / "folder.so", {"is a folder"}, "plugin folder");
  ASSERT_EQ(mkfifo((folder.path() / "pipe.so").c_str(), 0600), 0);
  expect_refused(folder.path() / "pipe.so", {"not a regular file"}, "plugin library");
  expect_refused(folder.write("empty.so", ""), {"is empty"}, "again");
  expect_refused(folder.write("text.so", "#!/bin/sh\necho hello\n"), {"not a shared library"}, "built plugin");
}

TEST(Load, RefusesAnUnreadableLibrary) {
  const TemporaryFolder folder("blip3u-registry-unreadable");
  const auto unreadable = folder.write("unreadable.so", "x");
  std::filesystem::permissions(unreadable, std::filesystem::perms::none);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  const NotRoot mortal;
  if (mortal.failed()) GTEST_SKIP() << "cannot stop being root";
  expect_refused(unreadable, {"cannot be read", "Permission denied"}, "readable");
}

TEST(Load, RefusesATruncatedLibraryAtAnyLength) {
  const TemporaryFolder folder("blip3u-registry-2");
  const std::string whole = read_text(broken("sound"));
  for (const std::size_t length :
       {std::size_t{4}, std::size_t{63}, std::size_t{64}, std::size_t{300}, whole.size() / 2, whole.size() - 1}) {
    expect_refused(folder.write("sound.so", whole.substr(0, length)), {"is truncated", std::to_string(length)},
                   "again");
  }
}

TEST(Load, RefusesAnObjectFileAndDamagedHeaders) {
  const TemporaryFolder folder("blip3u-registry-3");
  std::string bytes = read_text(broken("sound"));
  bytes[16] = 1;  // e_type: relocatable
  expect_refused(folder.write("sound.so", bytes), {"not a shared library"}, "shared library");
  bytes[16] = 3;
  bytes[18] ^= 1;  // e_machine
  expect_refused(folder.write("sound.so", bytes), {"not a shared library of this machine's kind"}, "build it here");
  bytes[18] ^= 1;
  for (int i = 32; i < 40; ++i) bytes[i] = '\xff';  // e_phoff
  expect_refused(folder.write("sound.so", bytes), {"is truncated"}, "again");
}

TEST(Load, TellsNoPluginFromNoStampFromAnotherStamp) {
  expect_refused(broken("unrelated"), {"not a plugin", "no entry symbol blip3u_plugin"}, "BLIP3U_PLUGIN");
  expect_refused(broken("no_stamp"), {"no build stamp"}, "BLIP3U_PLUGIN");
  expect_refused(broken("no_entry"), {"no entry symbol blip3u_plugin"}, "BLIP3U_PLUGIN");
  // Its constructor aborts: that this test goes on shows that the file was not opened.
  expect_refused(broken("other_stamp"), {"LibTorch 2.4.1", BLIP3U_BUILD_STAMP}, "rebuild the plugin");
}

TEST(Load, RefusesAnotherInterfaceVersion) {
  expect_refused(broken("other_interface"),
                 {"interface version 999", "this program has " + std::to_string(interface_version)},
                 "rebuild the plugin");
}

TEST(Load, RefusesAnUndefinedSymbolAtOnceAndNamesIt) {
  expect_refused(broken("undefined_symbol"), {"undefined symbol: function_that_no_library_has"}, "rebuild");
}

TEST(Load, RefusesAnEntryFunctionThatThrows) {
  expect_refused(broken("entry_throws"), {"entry function threw"}, "constant descriptor");
}

TEST(Load, RefusesAWrongDescriptor) {
  expect_refused(broken("twins"), {"two components sampler `heun`"}, "rename one");
  expect_refused(broken("bad_default"), {"default of parameter `steps`", "`bad_default`"}, "correct the default");
  const TemporaryFolder folder("blip3u-registry-4");
  std::filesystem::copy_file(broken("sound"), folder.path() / "renamed.so");
  expect_refused(folder.path() / "renamed.so", {"holds the library `sound`"}, "name the file sound.so");
}

}  // namespace
}  // namespace blip3u::testing
