#include "blip3u/package.h"

#include <cstdlib>

#include "io/archive.h"
#include "io/files.h"
#include "io/hash.h"
#include "support.h"

namespace blip3u {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string little_endian(std::uint32_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i) result += static_cast<char>(value >> 8 * i);
  return result;
}

struct Entry {
  std::string name, content;
  std::uint32_t unix_mode = 0100644;
};

/// A zip file without compression, from the published layout (APPNOTE.TXT), independent of libarchive.
std::string zip_of(const std::vector<Entry>& entries) {
  std::string body, directory;
  for (const Entry& entry : entries) {
    const auto size = static_cast<std::uint32_t>(entry.content.size());
    const std::string common = little_endian(0, 2) + little_endian(0, 2) + little_endian(0, 4) +
                               little_endian(crc32(entry.content), 4) + little_endian(size, 4) +
                               little_endian(size, 4) +
                               little_endian(static_cast<std::uint32_t>(entry.name.size()), 2) + little_endian(0, 2);
    const auto offset = static_cast<std::uint32_t>(body.size());
    body += "PK\x03\x04" + little_endian(20, 2) + common + entry.name + entry.content;
    directory += "PK\x01\x02" + little_endian(0x0314, 2) + little_endian(20, 2) + common + little_endian(0, 2) +
                 little_endian(0, 2) + little_endian(0, 2) + little_endian(entry.unix_mode << 16, 4) +
                 little_endian(offset, 4) + entry.name;
  }
  const auto count = static_cast<std::uint32_t>(entries.size());
  return body + directory + "PK\x05\x06" + little_endian(0, 4) + little_endian(count, 2) + little_endian(count, 2) +
         little_endian(static_cast<std::uint32_t>(directory.size()), 4) +
         little_endian(static_cast<std::uint32_t>(body.size()), 4) + little_endian(0, 2);
}

/// Sets an environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class Package : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "wheels");
    std::filesystem::create_directories(folder_ / "bin");
    std::filesystem::create_directories(folder_ / "data");
    write_atomically(wheel_, content_);
  }
  void fetch(const std::string& hash) { fetch_package("Easy.VQA", "1.0", hash, target_); }
  std::string failure(const std::string& hash) {
    return message_of([&] { fetch(hash); });
  }
  /// A pip for the test, found as python3. It runs as `python3 -m pip download ... --dest FOLDER --requirement FILE`.
  void install_pip(const std::string& script) {
    write_atomically(folder_ / "bin/python3", "#!/bin/sh\n" + script);
    std::filesystem::permissions(folder_ / "bin/python3", std::filesystem::perms::owner_all);
  }
  void expect_nothing_left() {
    EXPECT_FALSE(std::filesystem::exists(target_));
    EXPECT_TRUE(std::filesystem::is_empty(folder_ / "data"));
  }

  TemporaryFolder folder_;
  std::filesystem::path wheel_ = folder_ / "wheels/easy_vqa-1.0-py3-none-any.whl";
  std::filesystem::path target_ = folder_ / "data/easy_vqa";
  std::string content_ = zip_of({{"easy_vqa/data/answers.txt", "circle\n"}, {"easy_vqa/empty", ""}});
  std::string hash_ = sha256_text(content_);
  Variable path_{"PATH", (folder_ / "bin").string()};  // no pip but the test's own, hence no network
  Variable wheels_{"BLIP3U_PACKAGE_FOLDER", (folder_ / "wheels").string()};
};

TEST_F(Package, UnpacksOnce) {
  fetch(hash_);
  EXPECT_EQ(read_text(target_ / "easy_vqa/data/answers.txt"), "circle\n");
  EXPECT_EQ(read_text(target_ / "easy_vqa/empty"), "");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "data"), {}), 1);
  std::filesystem::remove(wheel_);
  fetch(hash_);  // in place: needs neither wheel nor pip
  fetch_package("Easy.VQA", "1.0", hash_, target_.string() + "/");
}

TEST_F(Package, ReplacesAnEarlierVersion) {
  fetch(hash_);
  write_atomically(wheel_, zip_of({{"other", "x"}}));
  fetch(sha256_file(wheel_));
  EXPECT_TRUE(std::filesystem::exists(target_ / "other"));
  EXPECT_FALSE(std::filesystem::exists(target_ / "easy_vqa"));
}

TEST_F(Package, LeavesForeignFoldersAlone) {
  write_atomically(target_ / "thesis.txt", "precious");
  EXPECT_THAT(failure(hash_), HasSubstr("was not put there by this program"));
  EXPECT_EQ(read_text(target_ / "thesis.txt"), "precious");
}

TEST_F(Package, WrongHash) {
  const std::string expected(64, '1');
  EXPECT_THAT(failure(expected), AllOf(HasSubstr(wheel_.string() + ": wrong SHA-256"),
                                       HasSubstr("expected " + expected), HasSubstr("actual " + hash_)));
  expect_nothing_left();
}

TEST_F(Package, NoWheelAndNoPip) {
  std::filesystem::remove(wheel_);
  EXPECT_THAT(failure(hash_),
              AllOf(HasSubstr("Easy.VQA 1.0: needed, but there is no pip"), HasSubstr("BLIP3U_PACKAGE_FOLDER")));
  expect_nothing_left();
  const Variable nowhere("BLIP3U_PACKAGE_FOLDER", "/no/such/folder");
  EXPECT_THAT(failure(hash_), HasSubstr("/no/such/folder: the folder that BLIP3U_PACKAGE_FOLDER names"));
}

TEST_F(Package, PipFails) {
  std::filesystem::remove(wheel_);
  install_pip("echo 'ERROR: no route to host'; exit 1\n");
  EXPECT_THAT(failure(hash_), AllOf(HasSubstr("pip could not download it"), HasSubstr("no route to host")));
  install_pip("echo '/usr/bin/python3: No module named pip'; exit 1\n");
  EXPECT_THAT(failure(hash_), HasSubstr("there is no pip"));
  install_pip("exit 0\n");
  EXPECT_THAT(failure(hash_), HasSubstr("brought no wheel"));
  expect_nothing_left();
}

TEST_F(Package, PipDownloads) {
  const auto elsewhere = folder_ / "elsewhere.whl";
  std::filesystem::rename(wheel_, elsewhere);
  const std::string find_options =
      "while [ $# -gt 0 ]; do case $1 in --dest) dest=$2;; --requirement) file=$2;; esac; shift; done\n"
      "read line < \"$file\"; echo \"$line\" > " +
      (folder_ / "asked").string() + "\n";
  install_pip(find_options + "/bin/cp " + elsewhere.string() + " \"$dest/easy_vqa-1.0-py3-none-any.whl\"\n");
  fetch(hash_);
  EXPECT_EQ(read_text(folder_ / "asked"), "Easy.VQA==1.0 --hash=sha256:" + hash_ + "\n");
  EXPECT_EQ(read_text(target_ / "easy_vqa/data/answers.txt"), "circle\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "data"), {}), 1);
}

TEST_F(Package, HostileOrDamagedArchives) {
  const auto failure_of = [&](const std::string& archive) {
    put(wheel_, archive);
    const std::string message = failure(sha256_text(archive));
    expect_nothing_left();
    return message;
  };
  EXPECT_THAT(failure_of(zip_of({{"fine", "x"}, {"../../escaped", "x"}})), HasSubstr("outside the folder"));
  EXPECT_THAT(failure_of(zip_of({{"a/../../escaped", "x"}})), HasSubstr("'a/../../escaped' would land outside"));
  EXPECT_THAT(failure_of(zip_of({{(folder_ / "escaped").string(), "x"}})), HasSubstr("outside the folder"));
  EXPECT_THAT(failure_of(zip_of({{"link", "/etc/passwd", 0120777}})), HasSubstr("neither a file nor a folder"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "escaped"));
  EXPECT_THAT(failure_of("not a zip file at all"), HasSubstr("damaged zip"));
  EXPECT_THAT(failure_of(""), HasSubstr("damaged zip"));
  for (std::size_t length = 10; length < content_.size(); length += 40) {
    EXPECT_THAT(failure_of(content_.substr(0, length)), HasSubstr("damaged zip")) << "cut at " << length;
  }
  std::string altered = content_;
  altered[altered.find("circle")] = 'C';
  EXPECT_THAT(failure_of(altered), HasSubstr("damaged zip")) << "the entry's own checksum";
}

TEST_F(Package, CompressedEntries) {  // tests/data/make_wheel.py
  std::string expected;
  for (int number = 0; number < 20000; ++number) expected += "line " + std::to_string(number) + "\n";
  std::filesystem::create_directory(folder_ / "out");
  unzip(std::filesystem::path(BLIP3U_TEST_DATA) / "deflated.whl", folder_ / "out", 1 << 20);
  EXPECT_EQ(read_text(folder_ / "out/data/long.txt"), expected);
}

TEST_F(Package, ContentBeyondTheLimit) {
  std::filesystem::create_directory(folder_ / "out");
  EXPECT_THAT(message_of([&] { unzip(wheel_, folder_ / "out", 3); }), HasSubstr("larger than 3 bytes"));
}

TEST_F(Package, DiskThatFillsUp) {
  write_atomically(wheel_, zip_of({{"large", std::string(20000, 'x')}}));
  const std::string new_hash = sha256_file(wheel_);
  std::string message;
  {
    const FullDisk disk(5000);
    message = failure(new_hash);
  }
  EXPECT_THAT(message, HasSubstr("File too large"));
  expect_nothing_left();
}

}  // namespace
}  // namespace blip3u
