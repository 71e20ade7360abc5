// What the parts of the default recipe cost, with fresh weights. Ratios within one run are what counts: machines
// differ.
#include <algorithm>
#include <chrono>
#include <memory>

#include <benchmark/benchmark.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "model/messages.h"
#include "model/reader.h"
#include "pipeline/create.h"
#include "pipeline/pipeline.h"
#include "recipe/recipe.h"
#include "registry/registry.h"
#include "training/optimizer.h"

extern "C" const blip3u::PluginDescriptor* linked_dit();
extern "C" const blip3u::PluginDescriptor* linked_flow_matching();

namespace blip3u {
namespace {

const std::filesystem::path recipe_file = std::filesystem::path(BLIP3U_SOURCE_DIR) / "recipes" / "easy_vqa.yaml";

// The default recipe's pipeline, with a vocabulary but no data.
struct Fixture {
  Registry registry{{BLIP3U_PLUGIN_FOLDER}};
  Recipe recipe = load_recipe(recipe_file, {"device=cpu"}, registry);
  Pipeline pipeline{recipe, fitted_tokenizer(), at::kCPU};
  Tensor images = at::zeros({64, 3, recipe.wiring.image_size, recipe.wiring.image_size});
  Layout layout = pipeline.encoder().layout();

  Fixture() {  // as in a stage, which trains what it names
    for (const char* role : {"encoder", "backbone", "denoiser", "decoder"}) {
      for (const NamedTensor& weight : pipeline.part(role)->weights()) weight.value.set_requires_grad(false);
    }
  }

  Denoiser& denoiser() const { return *pipeline.links().front().denoiser; }
  Sampler& sampler() const { return *pipeline.links().front().sampler; }

  std::shared_ptr<Tokenizer> fitted_tokenizer() {
    auto tokenizer = make_tokenizer(recipe);
    dynamic_cast<LearnsVocabulary&>(*tokenizer).fit({"is there a red triangle in the image?", "yes", "no"});
    return tokenizer;
  }
  static Fixture& get() {
    static Fixture fixture;
    return fixture;
  }
};

// A session that has read prompts as training and use lay them out.
std::unique_ptr<Session> read_prompts(Fixture& f, const std::vector<std::string>& prompts) {
  std::vector<std::vector<Span>> rows;
  for (const std::string& prompt : prompts) {
    const auto messages =
        std::vector<Message>{{Role::user, {text_part(prompt)}}, {Role::assistant, {image_part(0, 1)}}};
    rows.push_back(cut_at_made_pictures(f.pipeline.tokenizer().render(messages, false)).front());
  }
  auto session = f.pipeline.backbone().begin(static_cast<std::int64_t>(rows.size()));
  read_spans(f.pipeline.backbone(), at::kCPU, *session, rows, {}, {}, Purpose::context);
  return session;
}

void registry_call(benchmark::State& state) {
  Fixture& f = Fixture::get();
  for (auto _ : state) benchmark::DoNotOptimize(f.registry.find(Kind::denoiser, "dit"));
}
BENCHMARK(registry_call);

void recipe_load(benchmark::State& state) {
  Fixture& f = Fixture::get();
  for (auto _ : state) benchmark::DoNotOptimize(load_recipe(recipe_file, {}, f.registry));
}
BENCHMARK(recipe_load)->Unit(benchmark::kMillisecond);

void encoder_pass(benchmark::State& state) {
  Fixture& f = Fixture::get();
  const at::NoGradGuard no_grad;
  const Tensor images = f.images.slice(0, 0, state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(f.pipeline.encoder().encode(images));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encoder_pass)->Arg(1)->Arg(64)->Unit(benchmark::kMillisecond);

void decoder_pass(benchmark::State& state) {
  Fixture& f = Fixture::get();
  const at::NoGradGuard no_grad;
  const Visual features{at::zeros({state.range(0), f.layout.tokens, f.layout.width}), {}};
  for (auto _ : state) {
    Generator generator = Generator::for_rows(0, 0, state.range(0));
    benchmark::DoNotOptimize(f.pipeline.decoder().decode({.visual = features, .noise = generator}));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decoder_pass)->Arg(1)->Arg(64)->Unit(benchmark::kMillisecond);

// One more token behind a picture and a question, and behind 512 words.
void decode_behind(benchmark::State& state, const std::vector<Span>& spans) {
  Fixture& f = Fixture::get();
  const at::NoGradGuard no_grad;
  const Visual picture{at::zeros({1, f.layout.tokens, f.layout.width}), {}};
  const auto past = f.pipeline.backbone().begin(1);
  read_spans(f.pipeline.backbone(), at::kCPU, *past, {spans}, {picture}, {}, Purpose::context);
  const Tensor next = at::full({1, 1}, f.pipeline.tokenizer().frame().end, at::kLong);
  for (auto _ : state) {
    state.PauseTiming();
    const auto session = past->fork();
    session->append({.embeds = f.pipeline.backbone().embed(next)});  // the fork's own keys, as when it goes on
    state.ResumeTiming();
    const Tensor hidden = session->append({.embeds = f.pipeline.backbone().embed(next)});
    benchmark::DoNotOptimize(f.pipeline.backbone().logits(hidden).argmax(-1));
  }
}
void decoded_token(benchmark::State& state) {
  Fixture& f = Fixture::get();
  decode_behind(state, f.pipeline.tokenizer().render(
                           std::vector<Message>{{Role::user, {image_part(0), text_part("is there a red triangle?")}},
                                                {Role::assistant, {}}},
                           true));
}
BENCHMARK(decoded_token)->Unit(benchmark::kMicrosecond);
void decoded_token_behind_512(benchmark::State& state) {
  decode_behind(state, {{std::vector<std::int64_t>(512, 3), -1, 0}});
}
BENCHMARK(decoded_token_behind_512)->Unit(benchmark::kMicrosecond);

// One evaluation of the denoiser, of which a guided Euler step takes two.
void denoiser_call(benchmark::State& state) {
  Fixture& f = Fixture::get();
  const at::NoGradGuard no_grad;
  const std::int64_t batch = state.range(0);
  const auto session = read_prompts(f, std::vector<std::string>(batch, "a red triangle"));
  const auto condition = f.denoiser().prepare({.context = *session});
  const Visual noised{at::zeros({batch, f.layout.tokens, f.layout.width}), {}};
  const Tensor time = at::full({batch}, 0.5);
  for (auto _ : state) {
    benchmark::DoNotOptimize(f.denoiser().predict({.noised = noised, .time = time, .condition = *condition}));
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(denoiser_call)->Arg(1)->Arg(64)->Unit(benchmark::kMillisecond);

// A whole sampling of the recipe's steps, guided.
class Sampling {
 public:
  Sampling(Denoiser& denoiser, Sampler& sampler) : denoiser_(denoiser), sampler_(sampler) {
    const at::NoGradGuard no_grad;
    Fixture& f = Fixture::get();
    session_ = read_prompts(f, {"a red triangle", ""});
    const std::vector<double> times = sampler.times();
    condition_ = denoiser.prepare({.context = *session_, .times = times});
  }

  /// Returns the number of steps.
  std::int64_t run() {
    const at::NoGradGuard no_grad;
    std::int64_t steps = 0;
    Generator generator({1});
    Fixture& f = Fixture::get();
    benchmark::DoNotOptimize(sampler_.sample({.denoiser = denoiser_,
                                              .layout = f.layout,
                                              .condition = *condition_,
                                              .noise = generator,
                                              .rows = 1,
                                              .contexts = 2,
                                              .guidance = dynamic_cast<Guidance*>(f.pipeline.part("guidance")),
                                              .watch = [&](const Step&) { return ++steps > 0; }}));
    return steps;
  }

 private:
  Denoiser& denoiser_;
  Sampler& sampler_;
  std::unique_ptr<Session> session_;  // which the condition refers to
  std::unique_ptr<Condition> condition_;
};

// Items are steps.
void sampler_step(benchmark::State& state) {
  Fixture& f = Fixture::get();
  Sampling sampling(f.denoiser(), f.sampler());
  std::int64_t steps = 0;
  for (auto _ : state) steps += sampling.run();
  state.SetItemsProcessed(steps);
}
BENCHMARK(sampler_step)->Unit(benchmark::kMillisecond);

// What the registry costs: the same sources loaded through it and linked into this program, in turns. The time is that
// of both; the counter `registry_over_linked` is the median of the ratios.
void sampler_step_registry_over_linked(benchmark::State& state) {
  Fixture& f = Fixture::get();
  const PipelineChoices& choices = f.recipe.pipeline;
  const BuildContext context{.wiring = choices.parts.at("denoiser").wiring,
                             .vocabulary = f.pipeline.tokenizer().vocabulary()};
  const auto make = [&](const PluginDescriptor& plugin, const ComponentChoice& choice) {
    return plugin.components.front().create(choice.parameters, context);
  };
  const auto denoiser = make(*linked_dit(), choices.parts.at("denoiser"));
  const auto sampler = make(*linked_flow_matching(), choices.parts.at("sampler"));
  Sampling linked(dynamic_cast<Denoiser&>(*denoiser), dynamic_cast<Sampler&>(*sampler));
  Sampling loaded(f.denoiser(), f.sampler());
  const auto seconds = [](Sampling& sampling) {
    const auto start = std::chrono::steady_clock::now();
    sampling.run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::vector<double> ratios;
  for (auto _ : state) {
    const bool loaded_first = ratios.size() % 2 == 0;
    const double first = seconds(loaded_first ? loaded : linked), second = seconds(loaded_first ? linked : loaded);
    ratios.push_back(loaded_first ? first / second : second / first);
  }
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  state.counters["registry_over_linked"] = *middle;
}
BENCHMARK(sampler_step_registry_over_linked)->Unit(benchmark::kMillisecond)->MinTime(20);

// Loss, gradients and an AdamW update of queries and denoiser, batch 64.
void training_step(benchmark::State& state) {
  Fixture& f = Fixture::get();
  constexpr std::int64_t batch = 64;
  std::vector<NamedTensor> weights = f.denoiser().weights();
  for (const NamedTensor& weight : weights) weight.value.set_requires_grad(true);
  Optimizer optimizer(weights, f.recipe.stages.back());
  const Visual target{at::zeros({batch, f.layout.tokens, f.layout.width}), {}};
  std::int64_t step = 0;
  for (auto _ : state) {
    const auto session = read_prompts(f, std::vector<std::string>(batch, "a red triangle"));
    Generator generator = Generator::for_rows(0, step * batch, batch);
    const auto condition = f.denoiser().prepare({.context = *session});
    auto& objective = dynamic_cast<Objective&>(f.sampler());
    for (const Loss& loss : objective.loss({f.denoiser(), target, *condition, generator})) {
      (loss.sum / loss.count).backward();
    }
    optimizer.step(step++);
  }
  for (const NamedTensor& weight : weights) weight.value.set_requires_grad(false);
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(training_step)->Unit(benchmark::kMillisecond);

// The same of the backbone on questions of unlike length.
void question_step(benchmark::State& state) {
  Fixture& f = Fixture::get();
  constexpr std::int64_t batch = 64;
  std::vector<NamedTensor> weights = f.pipeline.backbone().weights();
  for (const NamedTensor& weight : weights) weight.value.set_requires_grad(true);
  Optimizer optimizer(weights, f.recipe.stages.at(2));
  const Visual pictures{at::zeros({batch, f.layout.tokens, f.layout.width}), {}};
  std::vector<std::vector<Span>> rows;
  for (std::int64_t i = 0; i < batch; ++i) {
    const char* const question = i % 2 == 0 ? "is there a red triangle in the image?" : "is there a triangle?";
    const std::vector<Message> messages{{Role::user, {image_part(0), text_part(question)}},
                                        {Role::assistant, {text_part("yes", 1)}}};
    rows.push_back(f.pipeline.tokenizer().render(messages, false));
    rows.back().front().image = i;
  }
  std::int64_t step = 0;
  for (auto _ : state) {
    const auto session = f.pipeline.backbone().begin(batch);
    const Loss loss =
        text_loss(read_spans(f.pipeline.backbone(), at::kCPU, *session, rows, {pictures}, {}, Purpose::learn_last));
    (loss.sum / loss.count).backward();
    optimizer.step(step++);
  }
  for (const NamedTensor& weight : weights) weight.value.set_requires_grad(false);
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(question_step)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace blip3u
