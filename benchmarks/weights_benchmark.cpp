// What it costs to open weights that others trained: two gigabytes in bfloat16, in a warm page cache.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <ATen/ATen.h>

#include "blip3u/decoder.h"
#include "blip3u/module_component.h"
#include "blip3u/nn/modules.h"
#include "blip3u/random.h"
#include "io/safetensors.h"
#include "pipeline/host.h"
#include "temporary_folder.h"

namespace blip3u {
namespace {

constexpr std::int64_t matrices = 4, width = 16384;  // of 512 MiB each

class Large final : public ModuleComponent<Decoder> {
 public:
  explicit Large(const BuildContext& context) {
    for (std::int64_t i = 0; i < matrices; ++i) {
      layers.push_back(register_module(std::to_string(i), nn::Linear(width, width, /*with_bias=*/false)));
    }
    finish(context);
  }
  Tensor decode(const DecodeTask& task) override { return task.visual.x; }
  std::vector<nn::Linear> layers;
};

/// A file for each matrix.
void write_shards(const TemporaryFolder& folder) {
  const Tensor rows = Generator({1}).normal({width / 64, width}, at::kCPU)[0].to(at::kBFloat16);
  std::string map;
  for (std::int64_t i = 0; i < matrices; ++i) {
    const std::string name = std::to_string(i) + ".weight", file = std::to_string(i) + ".safetensors";
    save_safetensors(folder / file, {{name, rows.repeat({64, 1})}});
    map += (map.empty() ? "" : ",") + ("\"" + name + "\": \"" + file + "\"");
  }
  folder.write("model.safetensors.index.json", "{\"weight_map\": {" + map + "}}");
}

double resident_megabytes() {
  std::ifstream status("/proc/self/statm");
  double total = 0, resident = 0;
  status >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

// Opens the folder and builds a component over it. The counters are the memory that this takes, and that after one of
// the matrices, 537 MB, was read.
void mapped_weights(benchmark::State& state) {
  const TemporaryFolder folder("blip3u-benchmark");
  write_shards(folder);
  const ComponentChoice choice{
      .kind = Kind::decoder, .name = "large", .weights = WeightsChoice{.from = folder.path().string()}};
  const double before = resident_megabytes();
  double built = 0, touched = 0;
  for (auto _ : state) {
    const auto host = make_host(choice);
    const Large large({.host = host.get(), .dtype = at::kBFloat16});
    state.PauseTiming();
    built = resident_megabytes() - before;
    benchmark::DoNotOptimize(large.layers[1]->weight.sum());
    touched = resident_megabytes() - before;
    state.ResumeTiming();
  }
  state.counters["resident_MB"] = built;
  state.counters["resident_MB_after_one"] = touched;
}
BENCHMARK(mapped_weights)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace blip3u
