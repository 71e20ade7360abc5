#include "blip3u/random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>

namespace blip3u {

namespace {

std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// Draws each row from its own stream into one float32 tensor on the CPU, then moves it.
template <class Draw>
Tensor draw_rows(std::vector<at::Generator>& streams, at::IntArrayRef row_shape, at::Device device, Draw draw) {
  std::vector<std::int64_t> shape{static_cast<std::int64_t>(streams.size())};
  shape.insert(shape.end(), row_shape.begin(), row_shape.end());
  Tensor result = at::empty(shape, at::TensorOptions(at::kCPU).dtype(at::kFloat));
  for (std::size_t row = 0; row < streams.size(); ++row) {
    Tensor target = result.select(0, static_cast<std::int64_t>(row));
    draw(target, streams[row]);
  }
  return result.to(device);
}

}  // namespace

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t number) {
  return splitmix64(splitmix64(seed) ^ splitmix64(~number));
}

std::uint64_t derive_seed(std::uint64_t seed, std::string_view name) {
  std::uint64_t state = splitmix64(splitmix64(seed) + name.size());
  for (const char character : name) state = splitmix64(state ^ static_cast<unsigned char>(character));
  return state;
}

Generator::Generator(const std::vector<std::uint64_t>& row_seeds) {
  streams_.reserve(row_seeds.size());
  for (const std::uint64_t seed : row_seeds) streams_.push_back(at::detail::createCPUGenerator(seed));
}

Generator Generator::for_rows(std::uint64_t seed, std::int64_t first, std::int64_t count) {
  std::vector<std::uint64_t> seeds(static_cast<std::size_t>(count));
  for (std::int64_t row = 0; row < count; ++row) {
    seeds[static_cast<std::size_t>(row)] = derive_seed(seed, static_cast<std::uint64_t>(first + row));
  }
  return Generator(seeds);
}

Tensor Generator::normal(at::IntArrayRef row_shape, at::Device device) {
  return draw_rows(streams_, row_shape, device, [](Tensor& row, at::Generator& stream) { row.normal_(0, 1, stream); });
}

Tensor Generator::uniform(at::IntArrayRef row_shape, at::Device device) {
  return draw_rows(streams_, row_shape, device, [](Tensor& row, at::Generator& stream) { row.uniform_(0, 1, stream); });
}

}  // namespace blip3u
