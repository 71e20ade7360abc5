// Scenes: how fast one thread draws conversations with their pictures, as a stage reads them, and what a step of its
// last two stages costs, without dialogues and with them, whose batch is cut into one part or two. OMP_NUM_THREADS
// decides how many threads there are.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <ATen/ATen.h>

#include "pipeline/create.h"
#include "pipeline/pipeline.h"
#include "recipe/recipe.h"
#include "registry/registry.h"
#include "training/look_through.h"
#include "training/objectives.h"
#include "training/step_loss.h"
#include "training/training_data.h"

namespace blip3u {
namespace {

Recipe scenes(Registry& registry, const std::string& change) {
  return load_recipe(std::filesystem::path(BLIP3U_SOURCE_DIR) / "recipes" / "scenes.yaml",
                     {"device=cpu", "data.samples=2000", change}, registry);
}

void scenes_conversations(benchmark::State& state) {
  Registry registry{{BLIP3U_PLUGIN_FOLDER}};
  const TrainingData data(scenes(registry, fmt::format("data.image_size={}", state.range(0))));
  constexpr std::int64_t batch = 64;
  SampleRows rows(data, 0, batch, {});
  for (auto _ : state) benchmark::DoNotOptimize(rows.next());
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(scenes_conversations)->Arg(32)->Arg(64)->Unit(benchmark::kMillisecond);

void conversation_step(benchmark::State& state, const std::string& stage) {
  Registry registry{{BLIP3U_PLUGIN_FOLDER}};
  const Recipe recipe = scenes(registry, fmt::format("training.{}.parts={}", stage, state.range(0)));
  const TrainingData data(recipe);
  std::shared_ptr<Tokenizer> tokenizer = make_tokenizer(recipe);
  dynamic_cast<LearnsVocabulary&>(*tokenizer).fit(look_at_training_samples(data));
  Pipeline pipeline(recipe, tokenizer, at::kCPU);
  std::vector<NamedTensor> weights;
  for (const std::string& role : recipe.pipeline.roles()) {
    const bool learns = role == "backbone" || role == "denoiser";
    for (const NamedTensor& weight : pipeline.part(role)->weights()) {
      weight.value.set_requires_grad(learns);
      if (learns) weights.push_back(weight);
    }
  }
  FeatureTable features;
  features.try_emplace("encoder", pipeline.encoder(), recipe.data.image_size, at::kCPU, std::nullopt, /*keeps=*/false);
  const Stage& learned = *std::ranges::find(recipe.stages, stage, &Stage::name);
  const auto objective = make_objective(learned, 0, pipeline, data, features);
  std::int64_t step = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(work_out(objective->losses(step++), weights));
    for (const NamedTensor& weight : weights) weight.value.mutable_grad().reset();
  }
  state.SetItemsProcessed(state.iterations() * learned.batch);
}
BENCHMARK_CAPTURE(conversation_step, joint, "joint")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(conversation_step, dialogue, "dialogue")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace blip3u
