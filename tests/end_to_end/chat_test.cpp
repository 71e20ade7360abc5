// Dialogues, by scripts and on a terminal.
#include "cli/terminal.h"
#include "end_to_end/trained.h"
#include "registry/registry.h"
#include "running/open_run.h"

namespace blip3u::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class ChatTest : public Trained {
 protected:
  Outcome chat(const std::string& script, const std::string& options = "") const {
    folder_.write("script", script);
    return bash("blip3u chat " + options + " <script");
  }
  std::string pixels(const std::string& name) const { return encode_png(read_image(file(name))); }
};

TEST_F(ChatTest, IsTheDialogueThatItsLinesAre) {
  const Outcome talked = chat(
      "/ask what color is a white square\n"
      "\n"
      "/image pictures/1.png\n"
      "  /draw a black square \r\n"
      "/seed 7\n"
      "/draw it\n"
      "/seed\n"
      "/save last.png\n"
      "/quit\n"
      "/nonsense\n",
      "--output_folder made");
  ASSERT_EQ(talked.code, 0) << talked.err;
  EXPECT_EQ(talked.err.find("> "), std::string::npos) << "a prompt for nobody";

  Registry registry({BLIP3U_PLUGIN_FOLDER});
  const OpenedRun run = open_run(run_directory(), registry, {}, Model::Ability::generate);
  Request request;
  const auto reply = [&](std::vector<Part> content, Want want, std::uint64_t seed) {
    request.messages.push_back({Role::user, std::move(content)});
    request.want = want;
    request.seed = seed;
    Reply made = run.model->respond({&request, 1}, {}).front();
    request.messages.push_back(made.message);
    request.images.insert(request.images.end(), made.images.begin(), made.images.end());
    return made;
  };
  const Reply answer = reply({text_part("what color is a white square")}, Want::text, 0);
  EXPECT_EQ(talked.out, answer.message.content.at(0).text + "\nmade/picture-1.png\nmade/picture-2.png\n8\n");
  request.images.push_back(read_image(file("pictures/1.png")));
  const Reply first = reply({image_part(0), text_part("a black square")}, Want::image, 0);
  EXPECT_EQ(pixels("made/picture-1.png"), encode_png(first.images.at(0)));
  const Reply second = reply({text_part("it")}, Want::image, 7);
  EXPECT_EQ(pixels("made/picture-2.png"), encode_png(second.images.at(0)));
  EXPECT_EQ(read_text(file("last.png")), read_text(file("made/picture-2.png")));
  expect_made_again("last.png");
  expect_made_again("made/picture-1.png");
}

TEST_F(ChatTest, TheModelChoosesBetweenWordsAndPictures) {
  const Outcome talked = chat("what color is it?\na white square\n");
  EXPECT_EQ(talked.code, 0) << talked.err;
  Registry registry({BLIP3U_PLUGIN_FOLDER});
  const OpenedRun run = open_run(run_directory(), registry, {}, Model::Ability::generate);
  const Request request{.messages = {{Role::user, {text_part("what color is it?")}}}, .want = Want::any};
  const Reply reply = run.model->respond({&request, 1}, {}).front();
  std::string expected;
  for (const Part& part : reply.message.content) {
    if (part.type == Part::Type::text) expected += part.text + "\n";
  }
  if (!reply.images.empty()) expected += "picture-1.png\n";
  EXPECT_THAT(talked.out, StartsWith(expected));
  EXPECT_EQ(fs::exists(file("picture-1.png")), talked.out.find("picture-1.png") != std::string::npos);
}

TEST_F(ChatTest, UndoTakesBackWhatWasSaidLast) {
  const std::string plain = "/ask what color is a white square\n/seed 4\n/draw a black square\n/save plain.png\n";
  ASSERT_EQ(chat(plain).code, 0);
  const Outcome undone = chat(
      "/ask what color is a white square\n"
      "/draw a white square\n"
      "/ask what color is it\n"
      "/undo\n/undo\n"
      "/image pictures/0.png\n"
      "/undo\n"
      "/seed 4\n/draw a black square\n/save undone.png\n/undo\n/undo\n/undo\n");
  EXPECT_EQ(undone.code, 2);
  EXPECT_EQ(undone.err.substr(undone.err.rfind("blip3u: ")), "blip3u: /undo: nothing has been said yet\n");
  EXPECT_EQ(read_text(file("undone.png")), read_text(file("plain.png")));
  EXPECT_THAT(chat("/draw a white square\n/undo\n/save x.png\n").err,
              EndsWith("/save: no picture has been made yet\n"));
}

TEST_F(ChatTest, AMessageThatCannotBeSentLeavesTheDialogueAsItWas) {
  std::string same = "a white square";
  while (same.size() < 30'000) same += " a white square";
  const Outcome talked = chat(
      "/ask what color is a white square\n"
      "/image pictures/1.png\n"
      "draw a blob\n"
      "/draw \xFF\n"
      "/draw ?\n"
      "/draw " +
      same +
      "\n"
      "/draw a black square\n/save x.png\n");
  EXPECT_EQ(talked.code, 0) << talked.err;
  for (const char* reason : {"the model has never seen `draw`, `blob`; say it in other words; the dialogue goes on",
                             "the message: is not UTF-8 from byte 1 on; correct it; the dialogue goes on",
                             "the message has no words; give some; the dialogue goes on",
                             "tokens is too long: 4096 fit; shorten its texts; the dialogue goes on from before"}) {
    EXPECT_THAT(talked.err, HasSubstr(reason));
  }
  ASSERT_EQ(chat("/ask what color is a white square\n/image pictures/1.png\n/draw a black square\n/save y.png\n").code,
            0);
  EXPECT_EQ(read_text(file("x.png")), read_text(file("y.png")));
}

TEST_F(ChatTest, AScriptEndsAtAWrongCommand) {
  for (const auto& [line, reason] : std::vector<std::pair<std::string, std::string>>{
           {"/drow it", "there is no command `/drow`; did you mean `/draw`?"},
           {"/\x1b[31m", "there is no command `/\\x1b[31m`; known commands: /image, /draw"},
           {"/image absent.png", "absent.png: cannot be opened"},
           {"/image caf\xE9.png", "the name of the picture: is not UTF-8 from byte 4 on; correct it"},
           {"/seed many", "/seed many: not a whole number"},
           {"/save", "/save: name a .png file"},
           {"/save x.png", "/save: no picture has been made yet"},
           {"/undo", "/undo: nothing has been said yet"}}) {
    const Outcome wrong = chat("/seed\n" + line + "\n/seed\n");
    EXPECT_EQ(wrong.code, line == "/image absent.png" ? 1 : 2) << line;
    EXPECT_EQ(wrong.out, "0\n");
    EXPECT_THAT(wrong.err.substr(wrong.err.find('\n') + 1), StartsWith("blip3u: " + reason));
  }
  EXPECT_EQ(chat("/draw a white square\n/save absent/x.png\n").code, 2);
  const Outcome overlong = chat("/draw a white square\n/save " + std::string(300, 'x') + ".png\n");
  EXPECT_EQ(overlong.code, 2);
  EXPECT_THAT(overlong.err, EndsWith("xxx.png: File name too long; choose another name\n"));
  EXPECT_EQ(chat("").code, 0);
  const Outcome unended = chat("/seed\n/seed");
  EXPECT_EQ(unended.code, 0);
  EXPECT_EQ(unended.out, "0\n0\n");
}

TEST_F(ChatTest, NoFileIsOverwritten) {
  folder_.write("picture-1.png", "mine");
  EXPECT_EQ(chat("/draw a white square\n").out, "picture-2.png\n");
  EXPECT_EQ(chat("/draw a white square\n").out, "picture-3.png\n");
  EXPECT_EQ(read_text(file("picture-1.png")), "mine");
}

TEST_F(ChatTest, APictureThatCannotBeWrittenEndsAScript) {
  Outcome talked;
  {
    const FullDisk disk(500);  // less than a picture, and more than the message
    talked = chat("/draw a white square\n/seed\n", "--output_folder made");
  }
  EXPECT_EQ(talked.code, 1);
  EXPECT_THAT(talked.out, IsEmpty()) << "it goes on";
  EXPECT_THAT(talked.err, HasSubstr("blip3u: made/picture-1.png: cannot be written: File too large; "));
  EXPECT_THAT(talked.err, Not(HasSubstr("the dialogue goes on")));
  EXPECT_TRUE(fs::is_empty(file("made")));
}

TEST_F(ChatTest, APictureThatCannotBeWrittenIsNotLostToADialogue) {
  Terminal terminal({"chat", "--output_folder", "made"}, folder_.path(), {"TERM=xterm"});
  terminal.until("\n> ");
  fs::remove(file("made"));
  terminal.type("/draw a white square\n");
  EXPECT_THAT(terminal.until("; the reply stands, and /save FILE writes its picture\r\n> "),
              HasSubstr("blip3u: made/picture-1.png: cannot be written: No such file or directory; "));
  terminal.type("/save " + std::string(300, 'x') + ".png\n");
  terminal.until(": File name too long; choose another name\r\n> ");
  terminal.type("/save x.png\n");
  terminal.until("\r\n> ");
  EXPECT_TRUE(fs::exists(file("x.png")));
  terminal.type("/seed\n");
  terminal.until("\r\n1\r\n> ");
  terminal.type("/quit\n");
  EXPECT_EQ(terminal.code(), 0);
}

TEST_F(ChatTest, OnATerminalItAsksAndShowsPicturesWhereThatWorks) {
  Terminal plain({"chat"}, folder_.path(), {"TERM=xterm-256color"});
  plain.until("\n> ");
  plain.type("/draw a white square\n");
  EXPECT_THAT(plain.until("picture-1.png\r\n> "), Not(HasSubstr("\x1b_G")));
  plain.type("/nonsense\n");
  plain.until("blip3u: there is no command `/nonsense`");
  plain.until("\n> ");
  plain.type("\x04");
  EXPECT_EQ(plain.code(), 0);

  fs::remove(file("picture-1.png"));
  for (const auto& [variable, begin] : std::vector<std::pair<std::string, std::string>>{
           {"KITTY_WINDOW_ID=1", "\x1b_Ga=T,f=100,m="}, {"TERM_PROGRAM=mintty", "\x1bP0;1q"}}) {
    Terminal graphic({"chat"}, folder_.path(), {variable});
    graphic.until("\n> ");
    graphic.type("/draw a white square\n");
    graphic.until(begin);
    graphic.until("\x1b\\\r\n> ");
    graphic.type("/save shown.png\n");
    graphic.until("\n> ");
    graphic.type("/quit\n");
    EXPECT_EQ(graphic.code(), 0);
    EXPECT_TRUE(fs::exists(file("shown.png")));
    fs::remove(file("shown.png"));
    EXPECT_FALSE(fs::exists(file("picture-1.png"))) << "it was shown";
  }
}

TEST_F(ChatTest, CtrlCGivesUpTheReplyAndAtThePromptEnds) {
  Terminal terminal({"chat", "--steps", "10000"}, folder_.path());
  terminal.until("\n> ");
  terminal.type("/draw a white square\n");
  terminal.until("drawing ");  // the bar
  terminal.type("\x03");
  terminal.until("blip3u: cancelled; the dialogue goes on from before this message");
  terminal.until("\n> ");
  terminal.type("/save x.png\n");
  terminal.until("/save: no picture has been made yet");
  terminal.until("\n> ");
  terminal.type("/ask what color is it\n");
  terminal.until("\n> ");
  terminal.type("\x03");
  EXPECT_EQ(terminal.code(), 130);
}

TEST_F(ChatTest, CtrlCEndsAScript) {
  folder_.write("script", "/seed\n/draw a white square\n/draw a white square\n");
  const pid_t child = start({"-c", "exec " BLIP3U_PROGRAM " chat --steps 10000 <script"}, folder_.path(), {},
                            file("out"), file("err"), "/bin/bash");
  EXPECT_TRUE(eventually([&] { return content_of(file("out")) == "0\n"; }));
  kill(child, SIGINT);
  EXPECT_EQ(exit_code(child), 130);
  EXPECT_FALSE(fs::exists(file("picture-1.png")));
}

}  // namespace
}  // namespace blip3u::testing
