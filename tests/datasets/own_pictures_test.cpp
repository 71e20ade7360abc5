// Folders of pictures as people have them: each in a form of its own, with what was found in it and what was left
// aside.
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/host.h"
#include "blip3u/image.h"
#include "components.h"
#include "message_of.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Keeps what a component says.
class Listener final : public Host {
 public:
  const Weights* weights() const override { return nullptr; }
  Ranks& ranks() override { throw Error("a data set has no use for ranks"); }
  void note(const std::string& text) override { said.push_back(text); }
  std::vector<std::string> said;
};

class Pictures {
 public:
  Pictures() {
    for (const char* name : {"dog/1.png", "dog/2.png", "cat/1.png", "cat/3.png"}) picture(name);
  }

  void picture(const std::string& name) const {
    fs::create_directories((folder_.path() / name).parent_path());
    write_png(folder_ / name, at::full({3, 8, 8}, 0.5));
    fs::last_write_time(folder_ / name, fs::file_time_type{});
  }
  void write(const std::string& name, const std::string& content) const { folder_.write(name, content); }
  const fs::path& path() const { return folder_.path(); }

  std::unique_ptr<Dataset> open(Overrides changes = {}) {
    changes.emplace("path", folder_.path().string());
    changes.emplace("test_share", 0.0);
    listener_.said.clear();
    return make<Dataset>(Kind::dataset, "image_folder", changes, {.host = &listener_});
  }
  const std::vector<std::string>& said() const { return listener_.said; }

 private:
  TemporaryFolder folder_{"blip3u-own-pictures"};
  Listener listener_;
};

/// A sample in words.
std::string told(const Sample& sample) {
  std::string text = sample.id;
  for (const Message& message : sample.messages) {
    for (const Part& part : message.content) text += part.type == Part::Type::image ? " [image]" : " " + part.text;
  }
  if (!sample.captions.empty()) text += " | " + sample.captions.front();
  for (const auto& [name, value] : sample.labels) text += " | " + name + "=" + value;
  return text;
}

std::vector<std::string> told(const Dataset& dataset, Split split = Split::train) {
  std::vector<std::string> result;
  for_each_sample(dataset, split, [&](Sample&& sample) { return result.push_back(told(sample)), true; });
  return result;
}

std::vector<std::string> classes(const Dataset& dataset) { return dynamic_cast<const Classes&>(dataset).classes(); }

std::string lines(const std::string& each_before, const std::string& between, const std::string& each_after) {
  std::string text;
  for (const auto& [file, name] : {std::pair("dog/1.png", "dog"), std::pair("dog/2.png", "dog"),
                                   std::pair("cat/1.png", "cat"), std::pair("cat/3.png", "cat")}) {
    text += each_before + file + between + fmt::format(fmt::runtime(each_after), fmt::arg("name", name));
  }
  return text;
}

std::string without_last_comma(std::string text) { return text.erase(text.rfind(',')); }

/// The same pictures, described in another way each time.
struct Form {
  const char* name;
  std::function<void(const Pictures&)> write;
};

void PrintTo(const Form& form, std::ostream* stream) { *stream << form.name; }

class Forms : public testing::TestWithParam<Form> {};

const Overrides wishes = {{"caption", std::string("a photo of a {class}")},
                          {"question", std::string("what is it?")},
                          {"describe", std::string("describe it")}};

TEST_P(Forms, GiveTheSameSamples) {
  Pictures folders, other;
  const auto expected = folders.open(wishes);
  ASSERT_THAT(told(*expected),
              Contains("dog/2.png#caption a photo of a dog [image] | a photo of a dog | image=dog/2.png "
                       "| class=a photo of a dog"));
  ASSERT_THAT(told(*expected), Contains("cat/3.png#0 [image] what is it? cat | a photo of a cat | image=cat/3.png | "
                                        "class=a photo of a cat"));
  ASSERT_EQ(told(*expected).size(), 12U);
  GetParam().write(other);
  const auto dataset = other.open(wishes);
  EXPECT_EQ(told(*dataset), told(*expected));
  EXPECT_EQ(classes(*dataset), classes(*expected));
  EXPECT_EQ(dataset->fingerprint(), expected->fingerprint());
}

INSTANTIATE_TEST_SUITE_P(
    OwnPictures, Forms,
    testing::Values(
        Form{"folders", [](const Pictures&) {}},
        Form{"captions_jsonl",
             [](const Pictures& pictures) {
               pictures.write("captions.jsonl", lines(R"({"file": ")", R"(", "caption": "a photo of a )",
                                                      "{name}\", \"class\": \"{name}\"}}\n"));
             }},
        Form{"metadata_jsonl_with_byte_order_mark_and_carriage_returns",
             [](const Pictures& pictures) {
               pictures.write("metadata.jsonl",
                              "\xEF\xBB\xBF" + lines(R"({"file_name": ")", R"(", "text": "a photo of a )",
                                                     "{name}\", \"label\": \"{name}\"}}\r\n\r\n"));
             }},
        Form{"a_list_in_each_folder",
             [](const Pictures& pictures) {
               pictures.write("dog/metadata.csv", "file_name,label\n1.png,dog\n2.png,dog\n");
               pictures.write("cat/metadata.csv", "file_name,label\n1.png,cat\n3.png,cat\n");
             }},
        Form{"captions_csv",
             [](const Pictures& pictures) {
               pictures.write("captions.csv",
                              "image,caption,label\n" + lines("\"", "\",\"a photo of a ", "{name}\",{name}\n"));
             }},
        Form{"captions_csv_with_semicolons",
             [](const Pictures& pictures) {
               pictures.write("captions.csv", "file;class\n" + lines("", ";", "{name}\n"));
             }},
        Form{"captions_tsv",
             [](const Pictures& pictures) {
               pictures.write("captions.tsv",
                              "path\tcaption\tclass\n" + lines("", "\ta photo of a ", "{name}\t{name}\n"));
             }},
        Form{"captions_json_by_file",
             [](const Pictures& pictures) {
               pictures.write("captions.json",
                              "{" + without_last_comma(lines("\"", "\": {", "\"class\": \"{name}\"}},")) + "}");
             }},
        Form{"coco",
             [](const Pictures& pictures) {
               std::string images, annotations;
               int id = 10;
               for (const auto& [file, name, category] :
                    {std::tuple("dog/1.png", "dog", 7), std::tuple("dog/2.png", "dog", 7),
                     std::tuple("cat/1.png", "cat", 9), std::tuple("3.png", "cat", 9)}) {
                 images += fmt::format(R"({{"id": {}, "file_name": "{}"}},)", id, file);
                 annotations += fmt::format(R"({{"image_id": {}, "caption": "a photo of a {}"}},)", id, name);
                 annotations += fmt::format(R"({{"image_id": {}, "category_id": {}}},)", id++, category);
               }
               pictures.write("annotations/captions_train.json",
                              R"({"categories": [{"id": 7, "name": "dog"}, {"id": 9, "name": "cat"}], "images": [)" +
                                  without_last_comma(images) + R"(], "annotations": [)" +
                                  without_last_comma(annotations) + "]}");
             }},
        Form{
            "llava",
            [](const Pictures& pictures) {
              pictures.write(
                  "llava.json",
                  "[" +
                      without_last_comma(lines(
                          R"({"id": "x", "image": ")",
                          R"(", "conversations": [{"from": "human", "value": "<image>\ndescribe it"}, {"from": "gpt", "value": "a photo of a )",
                          R"({name}"}}, {{"from": "human", "value": "what is it?"}}, {{"from": "gpt", "value": "{name}"}}], "class": "{name}"}},)")) +
                      "]");
            }}),
    [](const auto& info) { return std::string(info.param.name); });

/// What lies in a folder besides, or is wrong in it, and what is said of it.
struct Odd {
  const char* name;
  std::function<void(const Pictures&)> add;
  std::string said;          ///< of what was found
  std::string refused = {};  ///< or why it is not read
};

void PrintTo(const Odd& odd, std::ostream* stream) { *stream << odd.name; }

class OddFolders : public testing::TestWithParam<Odd> {};

TEST_P(OddFolders, AreNamed) {
  Pictures pictures;
  GetParam().add(pictures);
  const std::string message = message_of([&] { pictures.open(); });
  if (!GetParam().refused.empty()) {
    EXPECT_THAT(message, AllOf(HasSubstr("dataset image_folder: "), HasSubstr(GetParam().refused), HasSubstr("; ")));
  } else {
    EXPECT_EQ(message, "");
    EXPECT_THAT(pictures.said(), Contains(HasSubstr(GetParam().said)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    OwnPictures, OddFolders,
    testing::Values(
        Odd{"nothing_odd", [](const Pictures&) {}, "4 pictures, 4 to train on, 0 for validation, 0 for testing"},
        Odd{"found", [](const Pictures&) {}, "4 captions, 0 questions, 2 classes, from names of folders"},
        Odd{"hidden_file", [](const Pictures& p) { p.write(".DS_Store", ""); },
            "left aside: hidden files: 1 (.DS_Store)"},
        Odd{"hidden_folder", [](const Pictures& p) { p.picture(".ipynb_checkpoints/1.png"); },
            "left aside: hidden folders: 1 (.ipynb_checkpoints)"},
        Odd{"thumbnails", [](const Pictures& p) { p.picture("dog/@eaDir/1.png"); },
            "left aside: folders of other programs: 1 (dog/@eaDir)"},
        Odd{"linked_folder", [](const Pictures& p) { fs::create_directory_symlink(p.path(), p.path() / "loop"); },
            "left aside: linked folders: 1 (loop)"},
        Odd{"dangling_link", [](const Pictures& p) { fs::create_symlink("nowhere", p.path() / "x.png"); },
            "left aside: links to nothing: 1 (x.png)"},
        Odd{"pipe", [](const Pictures& p) { ASSERT_EQ(mkfifo((p.path() / "x.png").c_str(), 0600), 0); },
            "left aside: neither files nor folders: 1 (x.png)"},
        Odd{"name_of_bytes", [](const Pictures& p) { p.write("\xFF\xFE.png", ""); }, "names that are not UTF-8: 1 ("},
        Odd{"folder_called_png", [](const Pictures& p) { fs::create_directory(p.path() / "x.png"); }, "4 pictures"},
        Odd{"other_pictures", [](const Pictures& p) { p.write("dog/x.GIF", ""); },
            "left aside: pictures that are neither .png, .jpg, .jpeg nor .webp: 1 (dog/x.GIF)"},
        Odd{"readme", [](const Pictures& p) { p.write("README.txt", "hello"); },
            "left aside: text files without a picture beside them: 1 (README.txt)"},
        Odd{"other_json", [](const Pictures& p) { p.write("settings.json", "{}"); },
            "left aside: JSON files that describe no pictures: 1 ("},
        Odd{"capital_text", [](const Pictures& p) { p.write("dog/1.TXT", "a dog\na brown dog\n"); },
            "2 captions, 0 questions, 0 classes, from text files"},
        Odd{"caption_file", [](const Pictures& p) { p.write("dog/1.caption", "a dog"); }, "1 captions"},
        Odd{"empty_text", [](const Pictures& p) { p.write("dog/1.txt", " \n"); },
            "left aside: text files that are empty: 1 (dog/1.txt)"},
        Odd{"utf_16_text", [](const Pictures& p) { p.write("dog/1.txt", std::string("\xFF\xFE\x61\0\xE9\0", 6)); },
            "1 captions"},
        Odd{"latin_1_text", [](const Pictures& p) { p.write("dog/1.txt", "a caf\xE9"); }, "",
            "dog/1.txt:1: is not UTF-8 (byte 0xE9), but perhaps Latin-1; convert it"},
        Odd{"utf_16_without_mark", [](const Pictures& p) { p.write("dog/1.txt", std::string("a\0b\0", 4)); }, "",
            "dog/1.txt:1: holds a NUL, so it is UTF-16 without a byte order mark"},
        Odd{"pictures_without_a_line",
            [](const Pictures& p) { p.write("captions.jsonl", R"({"file": "dog/1.png", "caption": "x"})"); },
            "left aside: pictures without a line: 3 (cat/1.png, cat/3.png, dog/2.png)"},
        Odd{"unknown_key",
            [](const Pictures& p) {
              p.write("captions.jsonl", R"({"file": "dog/1.png", "caption": "x", "capton": 1})");
            },
            "left aside: key \"capton\", which is not known: 1 ("},
        Odd{"several_captions",
            [](const Pictures& p) {
              p.write("captions.txt", "image,caption\ndog/1.png,x\ndog/1.png,\"y, z\"\ndog/1.png,x\n");
            },
            "2 captions, 0 questions, 0 classes, from captions.txt"},
        Odd{"coco_image_without_annotation",
            [](const Pictures& p) {
              p.write("a.json",
                      R"({"images": [{"id": 1, "file_name": "dog/1.png"}, {"id": 2, "file_name": "dog/2.png"}],
                                    "annotations": [{"image_id": 1, "caption": "x"}]})");
            },
            "left aside: images of COCO without an annotation: 1 (dog/2.png)"},
        Odd{"conversation_without_picture",
            [](const Pictures& p) {
              p.write("a.json", R"([{"image": "dog/1.png", "conversations": [{"from": "human", "value": "q"},
                                    {"from": "gpt", "value": "a"}]}, {"conversations": []}])");
            },
            "left aside: conversations without one picture: 1 ("},
        Odd{"same_name_twice", [](const Pictures& p) { p.write("captions.json", R"({"1.png": "x"})"); }, "",
            "there is no picture '"},
        Odd{"all_at_once",
            [](const Pictures& p) {
              p.write("captions.jsonl", "{\"file\": \"x.png\", \"caption\": \"x\"}\n[]\n{\"file\": \"dog/1.png\"}\n");
            },
            "", "3 problems:\n  "},
        Odd{"broken_json", [](const Pictures& p) { p.write("captions.json", "{\"a\": "); }, "",
            "captions.json: not JSON: "},
        Odd{"other_number_of_fields",
            [](const Pictures& p) { p.write("captions.csv", "file,caption\ndog/1.png,red, green\n"); }, "",
            "captions.csv, row 2: it has 3 fields, and the row of names 2; put a text"},
        Odd{"two_classes", [](const Pictures& p) { p.write("labels.csv", "file,label\ndog/1.png,a\ndog/1.png,b\n"); },
            "", "is of class 'b' here and 'a' before"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(OwnPictures, ABadClassIsNamed) {
  Pictures pictures;
  pictures.write("labels.csv", "file,label\ndog/1.png,hound\n");
  const Overrides given = {{"classes", std::vector<std::string>{"dog", "cat"}}};
  EXPECT_THAT(message_of([&] { pictures.open(given); }),
              HasSubstr("the class 'hound' is not one of `classes`; add it"));
  pictures.write("labels.csv", "file,label\ndog/1.png,1\n");
  EXPECT_THAT(classes(*pictures.open(given)), ElementsAre("dog", "cat"));
}

TEST(OwnPictures, NumbersNameClassesThatAreGiven) {
  Pictures pictures;
  pictures.write("captions.jsonl", R"({"file": "dog/1.png", "label": 1})");
  const Overrides given = {{"classes", std::vector<std::string>{"dog", "ankle boot"}}};
  EXPECT_THAT(told(*pictures.open(given)), ElementsAre(HasSubstr("class=ankle boot")));
}

TEST(OwnPictures, FoldersOnTopDivideThem) {
  Pictures pictures;
  for (const char* name : {"dog", "cat"}) fs::remove_all(pictures.path() / name);
  for (const char* name : {"train/hot_dog/1.png", "train/cat/1.png", "val2017/cat/2.png", "test/hot_dog/3.png"}) {
    pictures.picture(name);
  }
  const auto tested = pictures.open({{"test_share", 0.5}});
  EXPECT_THAT(pictures.said(), Contains(HasSubstr("4 pictures, 2 to train on, 1 for validation, 1 for testing")));
  EXPECT_THAT(classes(*tested), ElementsAre("cat", "hot dog"));
  EXPECT_THAT(told(*tested, Split::test), ElementsAre(HasSubstr("test/hot_dog/3.png")));
  const auto validated = pictures.open({{"evaluated_on", std::string("validation")}});
  EXPECT_THAT(told(*validated, Split::test), ElementsAre(HasSubstr("val2017/cat/2.png")));
  EXPECT_NE(validated->fingerprint(), tested->fingerprint());
}

TEST(OwnPictures, AShareIsKeptForValidation) {
  Pictures pictures;
  for (int i = 0; i < 200; ++i) pictures.picture(fmt::format("dog/x{}.png", i));
  const auto dataset = pictures.open({{"test_share", 0.2}, {"validation_share", 0.3}});
  const auto train = told(*dataset), test = told(*dataset, Split::test);
  EXPECT_NEAR(static_cast<double>(train.size()), 102, 25);
  EXPECT_NEAR(static_cast<double>(test.size()), 41, 20);
  EXPECT_EQ(told(*pictures.open({{"test_share", 0.2}}), Split::test), test) << "those for testing stay";
}

}  // namespace
}  // namespace blip3u
