// What can be done to a session of the backbone, and what it remembers.
#include "plugins_language/gpt_support.h"

namespace blip3u::testing {
namespace {

TEST(Gpt, UncommittedBlocksLeaveNoTrace) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor text = sequence(4), guess = sequence(3, 2, 2), more = sequence(2, 2, 3);
  const auto plain = gpt->begin(2), disturbed = gpt->begin(2);
  plain->append(block(text));
  disturbed->append(block(text));
  const Tensor once = disturbed->append(uncommitted(guess));
  Block padded = uncommitted(guess);
  padded.valid = at::tensor({1, 1, 0}, at::kInt).to(at::kBool).expand({2, 3});
  disturbed->append(padded);
  EXPECT_EQ(largest_difference(once, disturbed->append(uncommitted(guess))), 0.0);
  EXPECT_EQ(largest_difference(plain->append(block(more)), disturbed->append(block(more))), 0.0);
}

TEST(Gpt, ForksAreIndependent) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor text = sequence(4), one = sequence(3, 2, 2), other = sequence(3, 2, 3), end = sequence(1, 2, 4);
  const auto expected = [&](const Tensor& middle) {
    return in_pieces(*gpt, at::cat({text, middle, end}, 1), {8}).slice(1, 4);
  };
  const auto session = gpt->begin(2);
  session->append(block(text));
  const auto fork = session->fork();
  const Tensor a1 = session->append(block(one)), b1 = fork->append(block(other));
  const Tensor a2 = session->append(block(end)), b2 = fork->append(block(end));
  EXPECT_LT(largest_difference(at::cat({a1, a2}, 1), expected(one)), rounding);
  EXPECT_LT(largest_difference(at::cat({b1, b2}, 1), expected(other)), rounding);
}

TEST(Gpt, RowsAreSelectedRepeatedAndReordered) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor text = sequence(5, 3), more = sequence(2, 3, 2);
  Block padded = block(text);
  padded.valid = at::arange(5).unsqueeze(0) < order({5, 2, 4}).unsqueeze(1);
  const auto session = gpt->begin(3);
  session->append(padded);
  const Tensor index = order({2, 0, 2, 1});
  const auto chosen = session->rows(index);
  EXPECT_EQ(chosen->batch(), 4);
  EXPECT_EQ(chosen->length(), 5);
  const Tensor found = chosen->append(block(more.index_select(0, index)));
  EXPECT_LT(largest_difference(found, session->append(block(more)).index_select(0, index)), rounding);
  EXPECT_THROW(session->rows(order({})), Error);
}

TEST(Gpt, SessionsOfUnlikeLengthAreJoined) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt(), other = small_gpt();
  auto& joins = dynamic_cast<Joins&>(*gpt);
  const auto longer = gpt->begin(2), shorter = gpt->begin(1), empty = gpt->begin(1);
  longer->append(block(sequence(6)));
  shorter->append(block(sequence(3, 1, 2)));
  const std::vector<Session*> parts = {shorter.get(), longer.get(), empty.get()};
  const auto joined = joins.join(parts);
  EXPECT_EQ(joined->batch(), 4);
  EXPECT_EQ(joined->length(), 6);
  for (const std::uint64_t seed : {5, 6}) {
    const Tensor next = sequence(2, 4, seed), found = joined->append(block(next));
    EXPECT_LT(largest_difference(found.slice(0, 0, 1), shorter->append(block(next.slice(0, 0, 1)))), rounding);
    EXPECT_LT(largest_difference(found.slice(0, 1, 3), longer->append(block(next.slice(0, 1, 3)))), rounding);
    EXPECT_LT(largest_difference(found.slice(0, 3), empty->append(block(next.slice(0, 3)))), rounding);
  }
  const auto foreign = other->begin(1);
  const std::vector<Session*> wrong = {longer.get(), foreign.get()};
  EXPECT_THROW(joins.join(wrong), Error);
  EXPECT_THROW(joins.join({}), Error);
}

TEST(Gpt, MemoryGrowsInPlaceAndForksNeverWriteIntoIt) {
  const torch::NoGradGuard no_gradient;
  const auto gpt = small_gpt();
  const Tensor whole = sequence(40);
  auto session = gpt->begin(2);
  EXPECT_EQ(session->bytes(), 0U);
  session->append(block(whole.slice(1, 0, 4)));
  const std::size_t before = session->bytes();
  EXPECT_GE(before,
            2U * 2 * 2 * 4 * 16 * sizeof(float));  // keys and values of 2 layers, 2 rows, 4 tokens, 2 heads of 8
  session->append(block(whole.slice(1, 4, 5)));
  EXPECT_EQ(session->bytes(), before) << "a token more is a copy of all";
  // Forks of forks, of which each goes on in another way while the others wait; guesses in between.
  std::vector<std::unique_ptr<Session>> forks;
  std::vector<Tensor> found;
  for (std::uint64_t i = 0; i < 4; ++i) {
    forks.push_back((i < 2 ? session : forks[i - 2])->fork());
    forks.back()->append(uncommitted(sequence(3, 2, 20 + i)));
    forks.back()->append(block(sequence(2, 2, 10 + i)));
  }
  session->append(block(whole.slice(1, 5, 39)));
  const Tensor last = session->append(block(whole.slice(1, 39)));
  EXPECT_LT(largest_difference(last, in_pieces(*gpt, whole, {40}).slice(1, 39)), rounding);
  session.reset();  // forks outlive it
  for (std::uint64_t i = 0; i < 4; ++i) {
    Tensor past = whole.slice(1, 0, 5);
    if (i >= 2) past = at::cat({past, sequence(2, 2, 10 + i - 2)}, 1);
    past = at::cat({past, sequence(2, 2, 10 + i), whole.slice(1, 0, 1)}, 1);
    const Tensor expected = in_pieces(*gpt, past, {past.size(1)}).slice(1, past.size(1) - 1);
    EXPECT_LT(largest_difference(forks[i]->append(block(whole.slice(1, 0, 1))), expected), rounding) << i;
  }
}

TEST(Gpt, GradientsGoThroughAPastThatWasReadWithout) {
  const auto gpt = small_gpt();
  const Tensor text = sequence(4), more = sequence(3, 2, 2);
  const auto session = gpt->begin(2);
  {
    const c10::InferenceMode inference;
    session->append(block(text));
  }
  const Tensor queries = more.clone().requires_grad_();
  const Tensor hidden = session->append(uncommitted(queries));
  {
    const torch::NoGradGuard no_gradient;
    session->append(block(more));  // writes where the queries' keys were
  }
  const auto gradient = torch::autograd::grad({hidden.square().sum()}, {queries})[0];
  EXPECT_GT(gradient.abs().max().item<double>(), 0.0);
  EXPECT_LT(largest_difference(hidden.detach(), in_pieces(*gpt, at::cat({text, more}, 1), {7}).slice(1, 4)), rounding);
}

}  // namespace
}  // namespace blip3u::testing
