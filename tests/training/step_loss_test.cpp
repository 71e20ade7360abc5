#include "training/step_loss.h"

#include <latch>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <ATen/Parallel.h>

namespace blip3u::testing {
namespace {

/// The sum of w x over some numbers, counted, with weight 3.
LossPart part_of(const Tensor& weight, std::vector<double> numbers) {
  return [weight, numbers = std::move(numbers)] {
    const Tensor x = at::tensor(numbers, at::kFloat);
    return std::vector<Term>{{{"product", (weight * x).sum(), at::full({}, static_cast<double>(numbers.size()))}, 3}};
  };
}

/// With two threads, whatever the tests have.
class StepLossOfThreads : public ::testing::Test {
 protected:
  StepLossOfThreads() { at::set_num_threads(2); }
  ~StepLossOfThreads() override { at::set_num_threads(before_); }

 private:
  const int before_ = at::get_num_threads();
};

TEST_F(StepLossOfThreads, WorksOutPartsAtOnce) {
  const Tensor weight = at::full({}, 2.0F).requires_grad_(true);
  std::latch both(2);
  const auto meeting = [&](double number) {
    return [&, number] {
      both.arrive_and_wait();  // for ever, were one made after the other
      return part_of(weight, {number})();
    };
  };
  EXPECT_EQ(work_out({meeting(1), meeting(3)}, {{"weight", weight}}).total, 12);
  EXPECT_EQ(at::get_num_threads(), 2);
}

TEST_F(StepLossOfThreads, GradientsLieAsTheirWeightsDo) {
  const Tensor weight = at::arange(6, at::kFloat).view({2, 3}).requires_grad_(true);
  const LossPart part = [&] {
    return std::vector<Term>{
        {{"product", (weight.t() * at::arange(6, at::kFloat).view({3, 2})).sum(), at::ones({})}, 1}};
  };
  work_out({part, part}, {{"weight", weight}});
  EXPECT_EQ(weight.grad().strides(), weight.strides());
  EXPECT_TRUE(at::equal(weight.grad(), at::arange(6, at::kFloat).view({3, 2}).t())) << weight.grad();
}

TEST_F(StepLossOfThreads, PartsOfWhichNothingLearnsAreNoFault) {
  const Tensor weight = at::full({}, 2.0F).requires_grad_(true);
  const StepLoss loss = work_out({part_of(at::full({}, 2.0F), {1}), part_of(weight, {3})}, {{"weight", weight}});
  EXPECT_EQ(loss.total, 12);
  EXPECT_EQ(weight.grad().item<float>(), 4.5F);
}

TEST_F(StepLossOfThreads, IsThatOfAllNumbersWhateverTheParts) {
  const Tensor weight = at::full({}, 2.0F).requires_grad_(true), unused = at::zeros({2}).requires_grad_(true);
  for (const auto& parts :
       {std::vector{part_of(weight, {1, 2, 6})}, std::vector{part_of(weight, {1}), part_of(weight, {2, 6})}}) {
    const StepLoss loss = work_out(parts, {{"weight", weight}, {"unused", unused}});
    EXPECT_THAT(loss.terms, ::testing::ElementsAre(::testing::Pair("product", 6)));
    EXPECT_EQ(loss.total, 18);
    EXPECT_EQ(weight.grad().item<float>(), 9) << "3 times the mean of 1, 2 and 6";
    EXPECT_FALSE(unused.grad().defined());
    weight.mutable_grad().reset();
  }
}

TEST_F(StepLossOfThreads, APartWithATermOfItsOwnAddsIt) {
  const Tensor weight = at::full({}, 2.0F).requires_grad_(true);
  const LossPart other = [&] { return std::vector<Term>{{{"square", weight.square(), at::ones({})}, 0.5}}; };
  const StepLoss loss =
      work_out({part_of(weight, {4}), other, [] { return std::vector<Term>{}; }}, {{"weight", weight}});
  EXPECT_THAT(loss.terms, ::testing::ElementsAre(::testing::Pair("product", 8), ::testing::Pair("square", 4)));
  EXPECT_EQ(loss.total, 26);
  EXPECT_EQ(weight.grad().item<float>(), 14);
}

TEST_F(StepLossOfThreads, AFaultInAPartIsThatOfTheStep) {
  const Tensor weight = at::full({}, 2.0F).requires_grad_(true);
  const LossPart broken = []() -> std::vector<Term> { throw std::runtime_error("broken"); };
  EXPECT_THROW(work_out({part_of(weight, {4}), broken}, {{"weight", weight}}), std::runtime_error);
}

}  // namespace
}  // namespace blip3u::testing
