#include "blip3u/random.h"

#include <algorithm>
#include <numbers>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "philox.h"

namespace blip3u {

namespace {

std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// Numbers of float32 from each row's own stream, on the CPU: `draw` makes a row of `numel` values from its stream.
template <class Streams, class Draw>
Tensor draw_rows(Streams& streams, at::IntArrayRef row_shape, at::Device device, Draw draw) {
  std::vector<std::int64_t> shape{static_cast<std::int64_t>(streams.size())};
  shape.insert(shape.end(), row_shape.begin(), row_shape.end());
  Tensor result = at::empty(shape, at::TensorOptions(at::kCPU).dtype(at::kFloat));
  if (result.numel() == 0) return result.to(device);
  const Tensor rows = result.view({shape[0], -1});
  for (std::int64_t row = 0; row < shape[0]; ++row) draw(streams[static_cast<std::size_t>(row)], rows[row]);
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
  for (const std::uint64_t seed : row_seeds) streams_.push_back({seed, 0});
}

Generator Generator::for_rows(std::uint64_t seed, std::int64_t first, std::int64_t count) {
  std::vector<std::uint64_t> seeds(static_cast<std::size_t>(count));
  for (std::int64_t row = 0; row < count; ++row) {
    seeds[static_cast<std::size_t>(row)] = derive_seed(seed, static_cast<std::uint64_t>(first + row));
  }
  return Generator(seeds);
}

template <class Convert>
void Generator::fill(Stream& stream, float* values, std::int64_t count, Convert convert) {
  for (std::int64_t first = 0; first < count; first += 4) {
    const PhiloxCounter words = philox_block(stream.seed, stream.next_block++);
    const std::int64_t here = std::min<std::int64_t>(4, count - first);
    for (std::int64_t i = 0; i < here; ++i) values[first + i] = convert(words[static_cast<std::size_t>(i)]);
  }
}

Tensor Generator::normal(at::IntArrayRef row_shape, at::Device device) {
  const at::NoGradGuard no_grad;
  return draw_rows(streams_, row_shape, device, [](Stream& stream, const Tensor& row) {
    // Box & Muller (1958): a radius and an angle make two numbers. The row is made by itself, from its own memory, so
    // that the same vector instructions round it whatever batch it is in.
    const std::int64_t pairs = (row.numel() + 1) / 2;
    Tensor radius = at::empty({pairs}, row.options()), angle = at::empty({pairs}, row.options());
    constexpr float unit = 0x1p-32f, turn = 2 * std::numbers::pi_v<float> * unit;
    fill(stream, radius.mutable_data_ptr<float>(), pairs,
         [](std::uint32_t word) { return (static_cast<float>(word) + 0.5f) * unit; });  // (0, 1]: has a logarithm
    fill(stream, angle.mutable_data_ptr<float>(), pairs,
         [](std::uint32_t word) { return static_cast<float>(word) * turn; });
    radius.log_().mul_(-2).sqrt_();
    row.slice(0, 0, pairs).copy_(angle.cos().mul_(radius));
    row.slice(0, pairs).copy_(angle.sin_().mul_(radius).slice(0, 0, row.numel() - pairs));
  });
}

Tensor Generator::uniform(at::IntArrayRef row_shape, at::Device device) {
  return draw_rows(streams_, row_shape, device, [](Stream& stream, const Tensor& row) {
    fill(stream, row.mutable_data_ptr<float>(), row.numel(),
         [](std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; });  // 24 bits: below 1
  });
}

std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::uint64_t left = order.size(); left > 1; --left) {  // Fisher & Yates
    const PhiloxCounter words = philox_block(seed, left);
    // A remainder of 64 random bits: its bias is at most count / 2^64.
    std::swap(order[left - 1], order[(std::uint64_t{words[0]} << 32 | words[1]) % left]);
  }
  return order;
}

}  // namespace blip3u
