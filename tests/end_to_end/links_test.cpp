// Two encoders that the backbone reads with and two links of generation, through the whole program.
#include "end_to_end/support.h"

namespace blip3u::testing {
namespace {

using ::testing::HasSubstr;

const char* const two_links = R"(name: tiny
seed: 3
device: cpu
data: {plugin: image_folder, path: pictures, image_size: 32}
tokenizer: words
pipeline:
  understanding:
    - {plugin: clip, grid: 2, width: 16, layers: 1, heads: 2, feature_width: 8, embedding_width: 8, pooling_width: 8,
       text_width: 8, text_heads: 2, reconstruction_width: 16, reconstruction_heads: 2}
    - {plugin: pixels, grid: 4}
  backbone: {plugin: gpt, width: 16, layers: 1, heads: 2, kv_heads: 1, hidden: 16}
  generation:
    - {denoiser: {plugin: dit, width: 16, layers: 1, heads: 2, queries: 2}, sampler: {plugin: flow_matching, steps: 3}}
    - target: understanding.1
      denoiser: {plugin: dit, width: 16, layers: 1, heads: 2, queries: 2}
      sampler: {plugin: flow_matching, steps: 3}
      guidance: {plugin: cfg, scale: 2}
  decoder: {plugin: patch_decoder, width: 16, layers: 1, heads: 2, head_width: 16}
training:
  - {name: encoder, objective: encoder, train: [understanding.0], steps: 4, batch: 4}
  - {name: decoder, objective: decoder, train: [decoder], steps: 60, batch: 4, learning_rate: 0.01}
  - {name: backbone, objective: conversation, image_weight: 0, train: [backbone], steps: 4, batch: 4}
  - {name: first, objective: conversation, text_weight: 0, train: [generation.0.denoiser], steps: 60, batch: 4,
     learning_rate: 0.02}
  - {name: second, objective: conversation, text_weight: 0, train: [generation.1.denoiser], steps: 60, batch: 4,
     learning_rate: 0.02}
evaluation: [tasks/vqa]
)";

// The first denoiser keeps pictures in the session, the second has a loss of its own.
const std::string keeping = R"(name: tiny
seed: 3
device: cpu
plugin_folders: [)" BLIP3U_BUILD_DIR R"(/mutants]
data: {plugin: image_folder, path: pictures, image_size: 32}
tokenizer: words
pipeline:
  encoder: {plugin: pixels, grid: 4}
  backbone: {plugin: gpt, width: 64, layers: 1, heads: 2, kv_heads: 1, hidden: 16}
  generation:
    - {denoiser: mutant_denoisers/sound_able, sampler: {plugin: flow_matching, steps: 3}}
    - target: {plugin: pixels, grid: 8}
      denoiser: {plugin: mutant_denoisers/sound_besides, loss_weights: {size: 0.5}}
      sampler: {plugin: flow_matching, steps: 3}
  decoder: pixels
training:
  - {name: all, objective: conversation, train: [backbone, generation.0.denoiser, generation.1.denoiser], steps: 4, batch: 4,
     image_share: 0.5}
evaluation: []
)";

class TwoLinks : public EndToEnd {
 protected:
  /// A picture of the run that the recipe makes with overrides, without what its file says of the run.
  std::string picture(const std::string& name, std::vector<std::string> overrides = {}) {
    std::vector<std::string> arguments{"run", "tiny.yaml", "name=" + name};
    arguments.insert(arguments.end(), overrides.begin(), overrides.end());
    const Outcome run = blip3u(arguments);
    EXPECT_EQ(run.code, 0) << run.err;
    const Outcome made = blip3u({"generate", "--run", run_directory("runs", name).string(), "--prompt",
                                 "a white square", "--output_path", "x.png"});
    EXPECT_EQ(made.code, 0) << made.err;
    return encode_png(read_image(file("x.png")));
  }
};

TEST_F(TwoLinks, TrainAndMakePicturesTheSecondFromTheFirst) {
  folder_.write("tiny.yaml", two_links);
  const std::string first = picture("tiny");
  const auto metrics = nlohmann::json::parse(read_text(run_directory() / "metrics.json"));
  EXPECT_TRUE(metrics.at("stages").at(3).at("losses").contains("generation.0.flow"));
  EXPECT_FALSE(metrics.at("stages").at(3).at("losses").contains("generation.1.flow"));
  EXPECT_TRUE(metrics.at("stages").at(4).at("losses").contains("generation.1.flow"));
  EXPECT_EQ(picture("tiny"), first);
  EXPECT_NE(picture("other", {"pipeline.generation.0.sampler.steps=30"}), first)
      << "the second link does not read what the first made";
  const Outcome other = blip3u({"run", "tiny.yaml", "pipeline.generation.0.denoiser.layers=2"});
  ASSERT_EQ(other.code, 0) << other.err;
  for (const char* stage : {"encoder", "decoder", "backbone"}) {
    EXPECT_THAT(other.err, HasSubstr(fmt::format("stage {}: taken from", stage)));
  }
  const Outcome asked =
      blip3u({"infer", "--task", "vqa", "--input_path", "pictures/1.png", "--question", "what color is it?"});
  EXPECT_EQ(asked.code, 0) << asked.err;
}

// What the second link learns it learns alone, once the first has learned.
TEST_F(TwoLinks, LearnOneAfterTheOther) {
  folder_.write("tiny.yaml", two_links);
  ASSERT_EQ(blip3u({"run", "tiny.yaml"}).code, 0);
  const Outcome other = blip3u({"run", "tiny.yaml", "pipeline.generation.1.denoiser.layers=2"});
  ASSERT_EQ(other.code, 0) << other.err;
  EXPECT_THAT(other.err, HasSubstr("stage first: taken from"));
  EXPECT_THAT(other.err, ::testing::Not(HasSubstr("stage second: taken from")));
}

// A link's pictures stay in the session where its denoiser keeps them, and its own loss is weighed as the recipe says.
TEST_F(TwoLinks, OfWhichOneKeepsAndOneLearnsBesides) {
  folder_.write("tiny.yaml", keeping);
  const std::string first = picture("tiny");
  const auto metrics = nlohmann::json::parse(read_text(run_directory() / "metrics.json"));
  const auto loss = [&](const char* name) { return metrics.at("stages").at(0).at("losses").at(name).get<double>(); };
  EXPECT_GT(loss("generation.1.denoiser.size"), 0);
  EXPECT_NEAR(
      loss("total"),
      loss("text") + loss("generation.0.flow") + loss("generation.1.flow") + 0.5 * loss("generation.1.denoiser.size"),
      1e-5);
  EXPECT_EQ(picture("tiny"), first);
  const Outcome cut = blip3u({"run", "tiny.yaml", "training.all.parts=2"});
  EXPECT_EQ(cut.code, 2);
  EXPECT_THAT(cut.err, HasSubstr("stage `all`: the generation.1.denoiser gathers something of each batch, which cannot "
                                 "be cut; set training.all.parts to 1"));
}

}  // namespace
}  // namespace blip3u::testing
