#include "gpt/stack.h"

#include <utility>

namespace blip3u::gpt {

Routes::Routes(std::vector<Stack>& all, const Tensor& expert, at::Device device) {
  if (!expert.defined()) {
    stacks = {all.front().get()};
    return;
  }
  shape = expert.sizes().vec();
  const Tensor flat = expert.flatten();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Tensor own = flat.eq(static_cast<std::int64_t>(i)).nonzero().flatten();
    if (own.size(0) == 0) continue;
    stacks.push_back(all[i].get());
    tokens.push_back(own);
  }
  if (stacks.size() == 1) return;
  back = at::cat(tokens).argsort().to(device);
  for (Tensor& own : tokens) own = own.to(device);
}

namespace {

/// all [B,T,heads + 2 key_heads,head_width] -> [B,T,width]
Tensor attend(const StackOptions& options, const Tensor& all, std::size_t layer, const Pass& pass) {
  const std::int64_t batch = all.size(0), length = all.size(1), width = options.head_width();
  const std::int64_t heads = options.heads, key_heads = options.key_heads;
  const std::vector<Tensor> turned_and_value = all.transpose(1, 2).split_with_sizes({heads + key_heads, key_heads}, 1);
  const std::vector<Tensor> query_and_key =
      layers::apply_rotary(turned_and_value[0], pass.rotary).split_with_sizes({heads, key_heads}, 1);
  const Tensor &query = query_and_key[0], &key = query_and_key[1], &value = turned_and_value[1];
  Cache& cache = pass.caches[layer];
  const Cache seen = cache.extend(pass.length, key, value, pass.in_place);
  if (!pass.in_place) cache = seen;
  // Every head of keys serves several heads of queries (Ainslie et al. 2023, arXiv:2305.13245), and is not repeated.
  if (length == 1 && !pass.sight.bias) {  // the queries that share keys are as good as a sequence
    const Tensor shared = query.reshape({batch, key_heads, heads / key_heads, width});
    return at::scaled_dot_product_attention(shared, seen.keys, seen.values).reshape({batch, 1, options.width});
  }
  return layers::join_heads(at::scaled_dot_product_attention(query, seen.keys, seen.values, pass.sight.bias, 0.0,
                                                             pass.sight.causal, std::nullopt,
                                                             /*enable_gqa=*/heads != key_heads));
}

}  // namespace

Tensor forward(const StackOptions& options, Tensor x, const Pass& pass) {
  for (std::size_t layer = 0; layer < pass.caches.size(); ++layer) {
    const Tensor attended = attend(
        options, pass.routes.each([&](StackImpl& stack, const auto& pick) { return stack.layer(layer).read(pick(x)); }),
        layer, pass);
    x = pass.routes.each(
        [&](StackImpl& stack, const auto& pick) { return stack.layer(layer).write(pick(x), pick(attended)); });
  }
  return pass.routes.each([&](StackImpl& stack, const auto& pick) { return stack.finish(pick(x)); });
}

}  // namespace blip3u::gpt
