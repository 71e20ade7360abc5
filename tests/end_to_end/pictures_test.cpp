// The verbs that make pictures, and what their files say of themselves.
#include "blip3u/build_stamp.h"
#include "cli/terminal.h"
#include "end_to_end/trained.h"
#include "model/best_of.h"
#include "registry/registry.h"
#include "running/open_run.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Pictures : public Trained {
 protected:
  /// A run that is not trained, and whose backbone reads no pictures.
  void make_blind_run() const {
    folder_.write("blind/resolved.yaml", R"(name: blind
data: {plugin: image_folder, path: pictures, image_size: 32}
tokenizer: words
pipeline:
  backbone: {plugin: gpt, width: 16, layers: 1, heads: 2, kv_heads: 1, hidden: 16}
  generation:
    - target: {plugin: pixels, grid: 4}
      denoiser: {plugin: dit, width: 16, layers: 1, heads: 2, queries: 2}
      sampler: {plugin: flow_matching, steps: 3}
  decoder: pixels
)");
    fs::copy_file(run_directory() / "texts.json", file("blind/texts.json"));
  }
};

TEST_F(Pictures, APictureTellsHowToMakeItAgain) {
  const std::vector<std::string> prompts{"it's a \"white\"\n $HOME `square` \\ \x1b[31m!",
                                         "caf\xC3\xA9 \xC2\x9B square", "- white"};
  for (const std::string& prompt : prompts) {
    const Outcome made = blip3u({"generate", "--prompt=" + prompt, "--output_path", "x.png", "--seed", "7", "--steps",
                                 "2", "--num_images", "2"});
    ASSERT_EQ(made.code, 0) << made.err;
    expect_made_again("x-1.png");
    const Outcome inspected = blip3u({"inspect", "x-1.png"});
    for (const char control : {'\x1b', '\x9B'}) EXPECT_EQ(inspected.out.find(control), std::string::npos);
  }
  ASSERT_EQ(generate().code, 0);
  const Outcome inspected = blip3u({"inspect", "x.png"});
  const std::string run = run_directory().lexically_relative(folder_.path()).string();
  EXPECT_THAT(inspected.out,
              StartsWith("software  BLIP3-U " BLIP3U_VERSION "\nverb      generate\nrecipe    tiny\nrun       " + run +
                         "\nprompt    a white square\nseed      0\nsettings  [{"));
  EXPECT_THAT(inspected.out, HasSubstr("\"steps\":3"));
  EXPECT_THAT(inspected.out, EndsWith("\nblip3u generate --prompt 'a white square' --seed 0 --run " + run +
                                      " --steps 3 --output_path again.png\n"));
}

TEST_F(Pictures, TheBestOfSeveralIsTheOneOfItsSeedThatTheJudgeLikesBest) {
  const auto make = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"generate", "--prompt", "a white square", "--output_path", "x.png"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome made = blip3u(arguments);
    EXPECT_EQ(made.code, 0) << made.err;
  };
  Registry registry({BLIP3U_PLUGIN_FOLDER});
  OpenedRun run = open_run(run_directory(), registry, {}, Model::Ability::generate);
  for (const char* judge : {"similarity", "likelihood"}) {
    make({"--num_images", "2", "--best_of", "3", "--judge", judge, "--seed", "5"});
    for (const std::uint64_t first : {0, 1}) {
      std::vector<Request> requests;
      for (std::uint64_t k = 0; k < 3; ++k) {
        requests.push_back({.messages = {{Role::user, {text_part("a white square")}}},
                            .want = Want::image,
                            .seed = 5 + 3 * first + k});
      }
      std::vector<Tensor> pictures;
      for (const Reply& reply : run.model->respond(requests, {})) pictures.push_back(reply.images.at(0));
      const auto best = best_of(*run.model, *judge_called(judge), pictures, "a white square");
      const std::string name = fmt::format("x-{}.png", first);
      EXPECT_EQ(encode_png(read_image(file(name))), encode_png(pictures[best])) << judge;
      expect_made_again(name);
    }
  }
  make({"--best_of", "3"});
  const std::string chosen = read_text(file("x.png"));
  make({"--best_of", "3", "--judge", "similarity"});
  EXPECT_EQ(read_text(file("x.png")), chosen) << "what is taken where the encoder reads texts";
}

// The tiny model never learned to think, so it may say anything, and draw or not.
TEST_F(Pictures, ReasoningComesBeforeThePicture) {
  Registry registry({BLIP3U_PLUGIN_FOLDER});
  const OpenedRun run = open_run(run_directory(), registry, {}, Model::Ability::generate);
  for (const char* prompt : {"a white square", "black", "it"}) {
    SCOPED_TRACE(prompt);
    const Request request{.messages = {{Role::system, {text_part("think")}}, {Role::user, {text_part(prompt)}}},
                          .want = Want::any};
    const Reply reply = run.model->respond({&request, 1}, {}).front();
    std::string thought;
    for (const Part& part : reply.message.content) {
      if (part.type == Part::Type::image) break;
      thought += part.text;
    }
    const Outcome made = blip3u({"generate", "--reasoning", "--prompt", prompt, "--output_path", "x.png"});
    EXPECT_EQ(fs::exists(file("x.png")), !reply.images.empty());
    if (reply.images.empty()) {
      EXPECT_EQ(made.code, 1);
      EXPECT_THAT(made.err, HasSubstr("the model made no picture, but said `" + thought + "`; leave --reasoning out"));
      continue;
    }
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_THAT(made.err, EndsWith(thought.empty() ? "" : "\n" + thought + "\n"));
    EXPECT_EQ(encode_png(read_image(file("x.png"))), encode_png(reply.images.front()));
    EXPECT_THAT(blip3u({"inspect", "x.png"}).out, HasSubstr(" --reasoning --seed 0 "));
    expect_made_again("x.png");
    fs::remove(file("x.png"));
  }
}

TEST_F(Pictures, ReasoningNeedsARunThatCanChooseBetweenWordsAndPictures) {
  make_blind_run();
  expect_refusal(blip3u({"generate", "--reasoning", "--run", "blind", "--prompt", "black", "--output_path", "x.png"}),
                 2, "blind: cannot think before it draws: the weights of ");
}

// The model that comes with the program lies elsewhere on each machine.
TEST_F(Pictures, OfTheModelThatComesWithTheProgramTheyNameNoRun) {
  const fs::path model = file("installed/share/blip3u/models/scenes");
  for (const fs::path& folder : {file("installed/bin"), model.parent_path(), file("elsewhere")}) {
    fs::create_directories(folder);
  }
  fs::copy_file(BLIP3U_PROGRAM, file("installed/bin/blip3u"));
  fs::create_symlink(fs::path(BLIP3U_PROGRAM).parent_path().parent_path() / "lib", file("installed/lib"));
  fs::copy(run_directory(), model, fs::copy_options::recursive);
  const auto there = [&](const std::string& line) {
    const Outcome outcome = bash("PATH=$PWD/installed/bin:$PATH; cd elsewhere; " + line);
    EXPECT_EQ(outcome.code, 0) << line << outcome.err;
    return outcome.out;
  };
  there("blip3u generate --prompt 'a white square' --output_path generated.png");
  there("printf '/draw a white square\n/save talked.png\n' | blip3u chat --output_folder made");
  for (const std::string& name : {std::string("generated.png"), std::string("talked.png")}) {
    const std::string picture = read_text(file("elsewhere/" + name));
    EXPECT_FALSE(picture.find(folder_.path().string()) != std::string::npos);
    const std::string inspected = there("blip3u inspect " + name);
    EXPECT_THAT(inspected, Not(HasSubstr("\nrun ")));
    const std::string command = inspected.substr(inspected.find("\n\n") + 2);
    EXPECT_THAT(command, Not(HasSubstr("--run")));
    there(command);
    EXPECT_TRUE(read_text(file("elsewhere/again.png")) == picture) << command;
  }
}

TEST_F(Pictures, ATerminalThatCanShowsThem) {
  for (const auto& [variable, begin] : std::vector<std::pair<std::string, std::string>>{
           {"TERM=xterm", ""}, {"TERM=xterm-kitty", "\x1b_Ga=T,f=100,m="}, {"TERM=foot", "\x1bP0;1q"}}) {
    Terminal terminal({"generate", "--prompt", "a white square", "--output_path", "x.png"}, folder_.path(), {variable});
    EXPECT_EQ(terminal.code(), 0);
    EXPECT_THAT(terminal.rest(), EndsWith("x.png\r\n"));
    for (const std::string& picture : {std::string("\x1b_G"), std::string("\x1bP")}) {
      EXPECT_EQ(terminal.rest().find(picture) != std::string::npos, begin.starts_with(picture)) << variable;
    }
    EXPECT_NE(terminal.rest().find(begin), std::string::npos);
  }
}

TEST_F(Pictures, WordsThatTheModelHasNeverSeenAreNamed) {
  const auto make = [&](const std::string& prompt) {
    return blip3u({"generate", "--prompt", prompt, "--output_path", "x.png"});
  };
  const Outcome partly = make("a shiny white blob, shiny");
  EXPECT_EQ(partly.code, 0);
  EXPECT_EQ(partly.out, "x.png\n");
  EXPECT_THAT(partly.err,
              HasSubstr("--prompt: the model has never seen `shiny`, `blob`, and goes by the other words\n"));
  EXPECT_THAT(blip3u({"infer", "--task", "vqa", "--input_path", "pictures/1.png", "--question", "what blob?"}).err,
              HasSubstr("--question: the model has never seen `blob`, and"));

  fs::remove(file("x.png"));
  const auto expect_refused = [&](const std::string& prompt, const std::string& reason) {
    const Outcome refused = make(prompt);
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.err, HasSubstr("blip3u: --prompt: " + reason));
    EXPECT_LT(refused.err.size(), 1000U);
    EXPECT_FALSE(fs::exists(file("x.png")));
  };
  expect_refused("", "has no words; give some");
  expect_refused(" ?", "has no words; give some");
  expect_refused("shiny blob", "the model has never seen `shiny`, `blob`, and there are no other words");
  expect_refused(std::string(100'000, 'x'), "the model has never seen `xxx");
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += fmt::format("word{} ", i);
  expect_refused(many,
                 "the model has never seen `word0`, `word1`, `word2`, `word3`, `word4`, `word5`, `word6`, `word7` "
                 "and 9992 more, and");
}

TEST_F(Pictures, APromptMayBeVeryLong) {
  std::string prompt = "a white square";
  while (prompt.size() < 15'000) prompt += " a white square";
  EXPECT_EQ(blip3u({"generate", "--prompt", prompt, "--output_path", "x.png"}).code, 0);
  const std::string inspected = blip3u({"inspect", "x.png"}).out;
  EXPECT_TRUE(inspected.find("prompt    " + prompt + "\n") != std::string::npos);
  while (prompt.size() < 100'000) prompt += " a white square";
  const Outcome longer = blip3u({"generate", "--prompt", prompt, "--output_path", "x.png"});
  EXPECT_EQ(longer.code, 2);
  EXPECT_THAT(longer.err, HasSubstr("tokens is too long: 4096 fit; shorten its texts\n"));
}

TEST_F(Pictures, AnEditFollowsFromPictureAndPrompt) {
  const auto edit = [&](const std::string& input, const std::string& prompt) {
    const Outcome made = blip3u({"edit", "--input_path", input, "--prompt", prompt, "--output_path", "x.png", "--seed",
                                 "3", "--num_images", "2"});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(made.out, "x-0.png\nx-1.png\n");
    expect_made_again("x-1.png");
    return encode_png(read_image(file("x-1.png")));
  };
  const std::string edited = edit("pictures/1.png", "white");
  EXPECT_NE(edit("pictures/0.png", "white"), edited);
  EXPECT_NE(edit("pictures/1.png", "black"), edited);
  write_png(file("large.png"), at::full({3, 90, 50}, 1.0));  // white as pictures/1.png
  EXPECT_EQ(edit("large.png", "white"), edited) << "of any size";
}

TEST_F(Pictures, AnEditNeedsARunThatReadsPictures) {
  make_blind_run();
  expect_refusal(blip3u({"edit", "--run", "blind", "--input_path", "pictures/1.png", "--prompt", "black",
                         "--output_path", "x.png"}),
                 2, "blind: its backbone reads no pictures, so it cannot edit one; choose a run");
}

}  // namespace
}  // namespace blip3u::testing
