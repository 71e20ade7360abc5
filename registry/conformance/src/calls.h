// The ways in which components that work on tensors are used, and the checks that all of these have in common.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/random.h"
#include "subject.h"

namespace blip3u::conformance {

using Tensors = std::vector<Tensor>;

struct Output {
  std::string name;
  std::vector<std::int64_t> shape;  ///< of one row; -1: any size
  at::ScalarType type = at::kFloat;
};

/// Whether the result depends on the generator.
enum class Draws { never, perhaps, surely };

/// One use of a component.
struct Call {
  std::string name;                ///< "decode"
  std::vector<std::string> names;  ///< of the inputs
  Tensors inputs;                  ///< each of `rows` rows
  std::vector<Output> outputs;
  std::function<Tensors(Component&, const Tensors& inputs, Generator&)> run;
  Draws draws = Draws::never;
  bool by_row = true;       ///< row i of the outputs depends on row i of the inputs alone; false: outputs have no rows
  double tolerance = 2e-5;  ///< relative, for rounding that depends on the size of a batch
};
inline constexpr std::int64_t rows = 3;

/// What a kind says about itself besides its calls.
struct Behaviour {
  std::vector<Call> calls;
  Call loss;                                 ///< gives one scalar; without `run` there is nothing to train
  std::function<void(Component&)> declares;  ///< more of `declared_output`; may be empty
  std::function<void(Component&)> keeps;     ///< more of `inputs_unaltered`; may be empty
  std::function<void()> errors;              ///< more of `own_errors`; may be empty
  bool smooth = true;                        ///< whether the loss has true gradients, not estimated ones
};

/// What a call is given, so that a component that writes to its input spoils one check alone.
Tensors copies(const Tensors& tensors);

/// The largest difference relative to the largest value; infinite if shapes differ or something is not finite.
double difference(const Tensor& a, const Tensor& b);
double difference(const Tensors& a, const Tensors& b);

/// All results of all calls and of the loss, without gradients.
Tensors observe(Component& component, const Behaviour& behaviour, std::uint64_t seed);

/// Fails unless each term is well formed and the descriptor declares it.
void check_losses(const Subject& subject, const std::vector<Loss>& losses);

/// declared_output, finite, inputs_unaltered, batch_equals_singles, same_generator_same_result,
/// other_generator_other_result, independent_instances and results_last.
void check_calls(Recorder& recorder, const Subject& subject, const Behaviour& behaviour);

/// own_errors: bad input to calls and factory. To be run last of all.
void check_errors(Recorder& recorder, const Subject& subject, const Behaviour& behaviour);

/// gradients and weights_registered.
void check_training(Recorder& recorder, const Subject& subject, const Behaviour& behaviour);

}  // namespace blip3u::conformance
