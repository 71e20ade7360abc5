// A user's own pictures, from the folder to the answer, through the program.
#include "end_to_end/support.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class OwnPictures : public EndToEnd {
 protected:
  OwnPictures() {
    for (const auto& [name, value] : {std::pair("white_square", 1.0), std::pair("black_square", -1.0)}) {
      for (int i = 0; i < 8; ++i) {
        const fs::path picture = file(fmt::format("own/{}/{}.png", name, i));
        fs::create_directories(picture.parent_path());
        write_png(picture, at::full({3, 32, 32}, value));
      }
    }
  }

  Outcome run(std::vector<std::string> overrides = {}) const {
    const std::vector<std::string> all = {"run",
                                          "tiny.yaml",
                                          "data.path=own",
                                          "data.test_share=0.3",
                                          "data.caption='a {class}'",
                                          "data.question='what is it?'",
                                          "evaluation=[tasks/vqa, tasks/classification]"};
    overrides.insert(overrides.begin(), all.begin(), all.end());
    return blip3u(overrides);
  }
};

TEST_F(OwnPictures, OneFolderAClassIsEnough) {
  folder_.write("own/README.txt", "mine");
  folder_.write("own/.DS_Store", "");
  const Outcome outcome = run();
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("dataset `image_folder`: 16 captions, 16 questions, 2 classes, from names of folders"));
  EXPECT_THAT(outcome.err, HasSubstr("left aside: hidden files: 1 (.DS_Store)"));
  EXPECT_THAT(outcome.err, HasSubstr("left aside: text files without a picture beside them: 1 (README.txt)"));
  const std::string metrics = read_text(run_directory() / "metrics.json");
  EXPECT_THAT(metrics, AllOf(HasSubstr("\"classification\""), HasSubstr("\"vqa\"")));

  const auto infer = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "infer");
    return blip3u(arguments);
  };
  folder_.write("own/white_square/z.png", "no picture");
  const Outcome classes = infer({"--task", "image_classification", "--input_path", "own/white_square"});
  EXPECT_EQ(classes.code, 1);
  EXPECT_THAT(classes.err, HasSubstr("z.png: neither PNG, JPEG nor WebP"));
  EXPECT_THAT(classes.out, MatchesRegex("([0-9]\\.png\ta (white|black) square\t-?[0-9]\\.[0-9]+\n){8}"));
  const Outcome answers = infer({"--task", "vqa", "--question", "what is it?", "--input_path", "own/black_square"});
  EXPECT_EQ(answers.code, 0) << answers.err;
  EXPECT_EQ(std::count(answers.out.begin(), answers.out.end(), '\n'), 8);
  expect_refusal(infer({"--task", "image_classification", "--input_path", "own"}), 2, "holds no .png, .jpg, .jpeg or");
}

TEST_F(OwnPictures, AllBadPicturesAreNamedAtOnce) {
  std::string table = "file,class,split\n";
  for (const char* name : {"white_square", "black_square"}) {
    for (int i = 0; i < 8; ++i) table += fmt::format("{}/{}.png,{},{}\n", name, i, name, i < 2 ? "test" : "train");
    fs::resize_file(file(fmt::format("own/{}/0.png", name)), 40);
    fs::resize_file(file(fmt::format("own/{}/7.png", name)), 40);
  }
  folder_.write("own/labels.csv", table);
  const Outcome tested = run();
  EXPECT_EQ(tested.code, 1) << tested.err;
  EXPECT_THAT(tested.err, HasSubstr("data: 4 test samples cannot be used; mend or remove:\n  "));
  for (const char* name : {"white_square", "black_square"}) {
    EXPECT_THAT(tested.err, HasSubstr(fmt::format("{}/0.png: truncated or damaged PNG", name)));
  }
  for (const char* name : {"white_square", "black_square"}) {
    fs::copy_file(file(fmt::format("own/{}/1.png", name)), file(fmt::format("own/{}/0.png", name)),
                  fs::copy_options::overwrite_existing);
  }
  const Outcome trained = run({"data.corrupt_share=0.5", "training=[]"});
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("data: 4 training samples cannot be read, and will be passed over:\n  "));
}

}  // namespace
}  // namespace blip3u::testing
