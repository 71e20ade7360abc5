// Every way in which a recipe can be wrong: one clear message each, at the exact place, and all in one pass.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/fake_catalog.h"

namespace recipe_test {
namespace {

using blip3u::Fault;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class BadRecipe : public RecipeTest {};

int problems_in(const std::string& message) {
  int count = 0;
  for (auto at = message.find("r.yaml:"); at != std::string::npos; at = message.find("r.yaml:", at + 1)) ++count;
  return count;
}

TEST_F(BadRecipe, GoodOneIsAccepted) { EXPECT_EQ(refusal(good_recipe), ""); }

TEST_F(BadRecipe, UnknownKeyShowsTheLineAndTheNearestKey) {
  EXPECT_EQ(refusal(changed("    steps: 20\n", "    stpes: 20\n")),
            "r.yaml:10:5: unknown key `stpes` in sampler `flow_matching`; did you mean `steps`?\n"
            "      stpes: 20\n"
            "      ^");
  EXPECT_THAT(refusal(changed("name: small", "name: small\ndevcie: cpu")),
              StartsWith("r.yaml:2:1: unknown key `devcie` in the recipe; did you mean `device`?"));
  EXPECT_THAT(refusal(changed("  denoiser: dit", "  denoiser: dit\n  decodr: x")),
              StartsWith("r.yaml:8:3: unknown key `decodr` in `pipeline`; did you mean `decoder`?"));
  EXPECT_THAT(refusal(changed("    steps: 200", "    steps: 200\n    bach: 8")),
              StartsWith("r.yaml:19:5: unknown key `bach` in the stage; did you mean `batch`?"));
  EXPECT_THAT(refusal(changed("tokenizer: words", "tokenizer: words\ntemplates: {promt: x}")),
              StartsWith("r.yaml:4:13: unknown key `promt` in `templates`; did you mean `prompt`?"));
}

TEST_F(BadRecipe, UnknownKeyFarFromAllListsThem) {
  EXPECT_THAT(refusal(changed("steps: 20\n", "strength: 20\n")),
              StartsWith("r.yaml:10:5: unknown key `strength` in sampler `flow_matching`; known keys: plugin, steps, "
                         "guidance, time\n"));
}

TEST_F(BadRecipe, DuplicateKey) {
  EXPECT_EQ(refusal(changed("    steps: 20\n", "    steps: 20\n    steps: 30\n")),
            "r.yaml:11:5: duplicate key `steps` (first in line 10); remove one\n"
            "      steps: 30\n"
            "      ^");
  EXPECT_THAT(refusal(std::string(good_recipe) + "name: again\n"), StartsWith("r.yaml:21:1: duplicate key `name`"));
}

TEST_F(BadRecipe, MissingKey) {
  EXPECT_THAT(refusal(changed("name: small\n", "")), StartsWith("r.yaml:1:1: missing key `name` in the recipe"));
  EXPECT_THAT(refusal(changed("tokenizer: words\n", "")), StartsWith("r.yaml:1:1: missing key `tokenizer`"));
  EXPECT_THAT(refusal(changed("\n    steps: 200", "")), StartsWith("r.yaml:14:5: missing key `steps` in the stage"));
  EXPECT_THAT(refusal(changed("{plugin: clip, patch: 16}", "{patch: 16}")),
              StartsWith("r.yaml:5:3: missing key `plugin` in this encoder"));
  EXPECT_THAT(refusal(changed("    plugin: flow_matching\n    steps: 20\n", "    plugin: acme/heun\n")),
              StartsWith("r.yaml:8:3: missing key `stretch` in sampler `acme/heun`: how far it goes"));
}

TEST_F(BadRecipe, MistypedValue) {
  EXPECT_EQ(refusal(changed("    steps: 20\n", "    steps: many\n")),
            "r.yaml:10:12: `steps` must be a whole number in plain digits, such as 64, is `many`\n"
            "      steps: many\n"
            "             ^");
  EXPECT_THAT(refusal(changed("    steps: 20\n", "    steps: \"20\"\n")),
              StartsWith("r.yaml:10:12: `steps` must be a whole number in plain digits, such as 64, is the text `20`; "
                         "remove the quotes"));
  EXPECT_THAT(refusal(changed("    steps: 20\n", "    steps: [20]\n")),
              HasSubstr("10:12: `steps` must be a whole number"));
  EXPECT_THAT(
      refusal(changed("    steps: 20\n", "    steps:\n")),
      StartsWith("r.yaml:10:5: `steps` must be a whole number in plain digits, such as 64, is nothing; give it"));
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: denoiser")),
              StartsWith("r.yaml:17:12: `train` must be a list of texts, such as [a, b], is `denoiser`"));
  EXPECT_THAT(
      refusal(changed("tokenizer: words", "tokenizer: [words]")),
      StartsWith("r.yaml:3:12: `tokenizer` must be the name of a component, or a map with `plugin`, is a list"));
  EXPECT_THAT(refusal("name: x\ndata: shapes\ntokenizer: words\npipeline: none\n"),
              StartsWith("r.yaml:4:11: `pipeline` must be a map of parts"));
  EXPECT_THAT(refusal("name: x\ndata: shapes\ntokenizer: words\npipeline: {}\ntraining: {a: 1}\n"),
              StartsWith("r.yaml:5:11: `training` must be a list of stages"));
}

TEST_F(BadRecipe, OutOfRangeValue) {
  EXPECT_THAT(refusal(changed("    steps: 20\n", "    steps: 0\n")),
              StartsWith("r.yaml:10:12: `steps` must be between 1 and 1000, is 0\n"));
  EXPECT_THAT(refusal(changed("    steps: 200\n", "    steps: 200\n    average_decay: 1.0\n")),
              StartsWith("r.yaml:19:20: `average_decay` must be between 0 and 0.999999, is 1\n"));
  EXPECT_THAT(refusal(changed("    steps: 200\n", "    steps: 200\n    learning_rate: -1e-3\n")),
              StartsWith("r.yaml:19:20: `learning_rate` must be at least 0, is -0.001\n"));
  EXPECT_THAT(refusal(changed("    steps: 20\n", "    time: never\n")),
              StartsWith("r.yaml:10:11: `time` must be one of uniform, logit_normal, is `never`\n"));
}

TEST_F(BadRecipe, WeightsOfLossesThatDoNotExist) {
  const auto weights = [&](const std::string& written) {
    return refusal(changed("patch: 16}", "patch: 16, loss_weights: " + written + "}"));
  };
  EXPECT_EQ(weights("{contrastiv: 1}"),
            "r.yaml:5:53: unknown loss `contrastiv` in encoder `clip`; did you mean `contrastive`?\n"
            "    encoder: {plugin: clip, patch: 16, loss_weights: {contrastiv: 1}}\n"
            "                                                      ^");
  EXPECT_THAT(weights("{contrastive: 0, flow: 1}"),
              StartsWith("r.yaml:5:69: unknown loss `flow` in encoder `clip`; known losses: contrastive, "
                         "reconstruction\n"));
  EXPECT_THAT(weights("{contrastive: -1}"), StartsWith("r.yaml:5:66: `contrastive` must be at least 0, is -1\n"));
  EXPECT_THAT(weights("{contrastive: much}"),
              StartsWith("r.yaml:5:66: `contrastive` must be a number in plain decimals, such as 0.001 or 1e-3"));
  EXPECT_THAT(weights("2"), StartsWith("r.yaml:5:52: `loss_weights` must be a map of loss names to numbers, is `2`\n"));
  EXPECT_THAT(refusal(changed("backbone: gpt", "backbone: {plugin: gpt, loss_weights: {}}")),
              StartsWith("r.yaml:6:27: unknown key `loss_weights` in backbone `gpt`; known keys: plugin, weights\n"));
  EXPECT_THAT(refusal(changed("    steps: 200\n", "    steps: 200\n    loss_weights: {}\n")),
              StartsWith("r.yaml:19:5: unknown key `loss_weights` in the stage; known keys: name, "));
}

TEST_F(BadRecipe, TextsOfAGivenForm) {
  EXPECT_THAT(refusal(changed("name: small", "name: a/b")),
              StartsWith("r.yaml:1:7: `name` must be 1 to 100 letters, digits, - and _, is `a/b`"));
  EXPECT_THAT(refusal(changed("name: small", "name: " + std::string(101, 'a'))),
              StartsWith("r.yaml:1:7: `name` must be 1 to 100 letters"));
  EXPECT_THAT(refusal(changed("name: small", "name: small\nplugin_folders: ['']")),
              StartsWith("r.yaml:2:18: an empty path; name a folder"));
  for (const char* device : {"gpu", "cuda:", "cuda:x", "cuda:01", "cpu:0"}) {
    EXPECT_THAT(refusal(changed("name: small", std::string("name: small\ndevice: \"") + device + "\"")),
                StartsWith("r.yaml:2:9: `device` must be auto, cpu, cuda or cuda:N, is `" + std::string(device)));
  }
  EXPECT_THAT(refusal(changed("name: small", "name: small\ntemplates: {prompt: \"a picture\"}")),
              StartsWith("r.yaml:2:21: `prompt` must be a text that contains {prompt}, is `a picture`"));
  EXPECT_THAT(refusal(changed("name: small", "name: small\noutput: ''")), StartsWith("r.yaml:2:9: `output` must be"));
}

TEST_F(BadRecipe, UnknownComponent) {
  EXPECT_EQ(refusal(changed("plugin: unclip, tokens: 16", "plugin: uncilp, tokens: 16")),
            "r.yaml:11:21: there is no decoder `uncilp`; did you mean `unclip`?\n"
            "    decoder: {plugin: uncilp, tokens: 16}\n"
            "                      ^");
  EXPECT_THAT(refusal(changed("tokenizer: words", "tokenizer: sentences")),
              StartsWith("r.yaml:3:12: there is no tokenizer `sentences`; known tokenizers: words"));
  EXPECT_THAT(refusal(changed("denoiser: dit", "denoiser: clip")),
              StartsWith("r.yaml:7:13: there is no denoiser `clip`"));
  EXPECT_THAT(refusal(changed("  - tasks/vqa", "  - tasks/vqaa")),
              StartsWith("r.yaml:20:5: there is no task `tasks/vqaa`; did you mean `tasks/vqa`?"));
  EXPECT_THAT(refusal(changed("denoiser: dit", "denoiser: ../evil/x")), StartsWith("r.yaml:7:13: `plugin` must be"));
}

TEST_F(BadRecipe, LibraryThatCannotBeLoadedIsAPluginFault) {
  EXPECT_THAT(refusal(changed("denoiser: dit", "denoiser: broken"), {}, Fault::plugin),
              StartsWith("r.yaml:7:13: denoiser `broken`: /plugins/broken.so: not a shared library\n"));
  EXPECT_THAT(refusal(changed("name: small", "name: small\nplugin_folders: [here, nowhere]"), {}, Fault::plugin),
              StartsWith("r.yaml:2:24: nowhere: no such plugin folder\n"));
}

TEST_F(BadRecipe, DecoderForOtherTokensThanTheEncoderMakes) {
  EXPECT_EQ(refusal(changed("patch: 16", "patch: 8")),
            "r.yaml:11:37: decoder `unclip`: takes 16 tokens, the encoder makes 64\n"
            "    decoder: {plugin: unclip, tokens: 16}\n"
            "                                      ^");
  EXPECT_THAT(
      refusal(changed("decoder: {plugin: unclip, tokens: 16}", "decoder: unclip"), {"pipeline.encoder.patch=8"}),
      StartsWith("r.yaml:11:3: decoder `unclip`: takes 16 tokens, the encoder makes 64 (`tokens` has its "
                 "default, 16)\n"));
  EXPECT_THAT(refusal(changed("patch: 16", "patch: 24")),
              HasSubstr("r.yaml:5:34: encoder `clip`: choose a patch that divides the image size\n"));
}

TEST_F(BadRecipe, SamplerWithoutADenoiser) {
  const std::string message = refusal(changed("  denoiser: dit\n", ""));
  EXPECT_THAT(message,
              HasSubstr("r.yaml:7:3: sampler `flow_matching` needs `predict`, which nothing that it works with "
                        "provides; denoisers that do: dit, mlp\n"));
  EXPECT_THAT(message, HasSubstr("r.yaml:14:16: pictures are made with a denoiser, but this pipeline has no denoiser; "
                                 "add one, or set `image_weight: 0`\n"));
  EXPECT_EQ(problems_in(message), 2);
}

TEST_F(BadRecipe, DecoderWithoutAnEncoderIsReportedOnce) {
  const std::string message =
      refusal("name: x\ndata: shapes\ntokenizer: words\npipeline: {decoder: {plugin: unclip, tokens: 8}}\n");
  EXPECT_THAT(message, StartsWith("r.yaml:4:12: decoder `unclip` needs `features`, which nothing that it works with "
                                  "provides; encoders that do: clip, mute, pixels\n"));
  EXPECT_EQ(problems_in(message), 1) << message;
}

TEST_F(BadRecipe, ComponentThatBreaksItsContractIsAPluginFault) {
  const auto message = [&](const std::string& from, const std::string& to) {
    return refusal(changed(from, to), {}, Fault::plugin);
  };
  EXPECT_THAT(message("encoder: {plugin: clip, patch: 16}", "encoder: mute"),
              HasSubstr("r.yaml:5:3: encoder `mute` does not say what it makes: its `check` must set `features`"));
  EXPECT_THAT(message("backbone: gpt", "backbone: mute"),
              StartsWith("r.yaml:6:3: backbone `mute` does not say what it makes: its `check` must set "
                         "`backbone_width`\n"));
  EXPECT_THAT(message("    plugin: flow_matching\n    steps: 20\n", "    plugin: hasty\n"),
              StartsWith("r.yaml:8:3: sampler `hasty`: its `check` threw an exception; it must report by "
                         "Wiring::reject\n"));
}

TEST_F(BadRecipe, StagesThatCannotWork) {
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: [decoder]")),
              StartsWith("r.yaml:17:13: `decoder` does not learn here; objective `conversation` can train encoder, "
                         "backbone, denoiser\n"));
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: [encoder]")),
              StartsWith("r.yaml:15:16: `encoder` makes what pictures are learned from, and must stand still"));
  EXPECT_THAT(refusal(changed("text_weight: 0", "image_weight: 0")),
              StartsWith("r.yaml:15:16: `denoiser` learns from pictures, but `image_weight` is 0"));
  EXPECT_THAT(refusal(changed("text_weight: 0\n    train: [denoiser]",
                              "text_weight: 0\n    image_weight: 0\n    train: [backbone]")),
              StartsWith("r.yaml:15:16: `text_weight` and `image_weight` are both 0"));
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: []")), StartsWith("r.yaml:17:12: `train` names no part"));
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: [denoiser, denoiser]")),
              StartsWith("r.yaml:17:23: `train` names `denoiser` twice"));
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: [sampler]")),
              StartsWith("r.yaml:17:13: `sampler` does not learn here; objective `conversation` can train"));
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: ['denoiser:']")),
              StartsWith("r.yaml:17:13: no pattern after `denoiser:`: name weights, such as `denoiser:blocks.*`"));
  EXPECT_THAT(refusal(changed("train: [denoiser]", "train: [denoiser]\n    dropout: 0.6\n    text_dropout: 0.5")),
              HasSubstr("together exceed 1; lower one"));
  EXPECT_THAT(refusal(changed("objective: conversation", "objective: dream")),
              StartsWith("r.yaml:15:16: `objective` must be one of encoder, decoder, conversation, is `dream`"));
  EXPECT_THAT(refusal(changed("- name: denoiser", "- name: encoder")),
              StartsWith("r.yaml:14:11: a second stage named `encoder`"));
  EXPECT_THAT(refusal(changed("- name: denoiser", "- name: de noiser")),
              StartsWith("r.yaml:14:11: `name` must be 1 to 100 letters"));
  EXPECT_THAT(refusal(changed("steps: 100}", "steps: 100, word_dropout: 0.1}")),
              StartsWith("r.yaml:13:85: `word_dropout` is of conversations, which objective `encoder` does not learn; "
                         "remove it\n"));
  EXPECT_THAT(refusal(changed("steps: 100}", "steps: 100, parts: 2}")),
              StartsWith("r.yaml:13:78: objective `encoder` compares all pictures of a batch, which cannot be cut; "
                         "remove `parts`\n"));
  EXPECT_THAT(refusal(changed("steps: 100}", "steps: 100, filter: [kind]}")),
              StartsWith("r.yaml:13:80: a condition of `filter` must be label=value or label!=value, is `kind`\n"));
}

TEST_F(BadRecipe, TasksWhoseResultsWouldCollide) {
  EXPECT_THAT(refusal(changed("  - tasks/vqa", "  - tasks/vqa\n  - {plugin: tasks/vqa, limit: 3}")),
              StartsWith("r.yaml:21:5: a second task named `tasks/vqa`"));
}

TEST_F(BadRecipe, AllProblemsComeInOnePassInTheOrderOfTheFile) {
  std::string text = changed("    steps: 20\n", "    stpes: 20\n    guidance: strong\n");
  text.replace(text.find("name: small"), 11, "nmae: small");
  text.replace(text.find("tokenizer: words"), 16, "tokenizer: wrods");
  text.replace(text.find("    steps: 200"), 14, "    steps: 0");
  const std::string message = refusal(text);
  std::size_t last = 0;
  for (const char* part :
       {"r.yaml:1:1: unknown key `nmae` in the recipe; did you mean `name`?", "r.yaml:1:1: missing key `name`",
        "r.yaml:3:12: there is no tokenizer `wrods`; did you mean", "r.yaml:10:5: unknown key `stpes`",
        "r.yaml:11:15: `guidance` must be a number", "r.yaml:19:12: `steps` must be between 1 and 1000000000, is 0"}) {
    const auto at = message.find(part);
    EXPECT_NE(at, std::string::npos) << part << " is not in\n" << message;
    if (at == std::string::npos) continue;
    EXPECT_GE(at, last) << part;
    last = at;
  }
  EXPECT_EQ(problems_in(message), 6) << message;
}

TEST_F(BadRecipe, WiringIsReportedBesideOtherProblems) {
  std::string text = changed("patch: 16", "patch: 8");
  text.replace(text.find("    steps: 200"), 14, "    steps: 0");
  EXPECT_EQ(problems_in(refusal(text)), 2);
}

TEST_F(BadRecipe, ManyProblemsAreCutShort) {
  std::string text = good_recipe;
  for (int i = 0; i < 2000; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  const std::string message = refusal(text);
  EXPECT_THAT(message, HasSubstr("\nand 1950 more problems"));
  EXPECT_EQ(problems_in(message), 50);
}

TEST_F(BadRecipe, LongLinesAndControlCharactersDoNotReachTheTerminal) {
  std::string long_line = "name: small\nseed: ";
  long_line.append(5000, 'k');
  const std::string message = refusal(changed("name: small", long_line));
  EXPECT_THAT(message, StartsWith("r.yaml:2:7: `seed` must be a whole number"));
  EXPECT_LT(message.size(), 600U);
  const std::string coloured = refusal(changed("name: small", "name: small\n\"\\e[31m\": 1"));
  EXPECT_THAT(coloured, Not(HasSubstr("\x1b")));
  EXPECT_THAT(coloured, HasSubstr("unknown key `?[31m`"));
}

TEST_F(BadRecipe, ColumnsCountCharacters) {
  EXPECT_THAT(
      refusal(changed("{plugin: shapes, image_size: 64}", "{folder: \"Übergröße\", plugin: shapes, imagesize: 64}")),
      StartsWith("r.yaml:2:45: unknown key `imagesize` in dataset `shapes`; did you mean `image_size`?"));
}

}  // namespace
}  // namespace recipe_test
