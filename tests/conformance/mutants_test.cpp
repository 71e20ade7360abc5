// The kit against deliberately wrong components (tests/mutants): it must find the fault of each, and none in the sound
// ones beside them.
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "blip3u/conformance.h"
#include "registry/load.h"

namespace blip3u::conformance {
namespace {

struct Mutant {
  const char* component;               ///< "KIND library/name"
  const char* check;                   ///< that must fail
  std::set<std::string> allowed = {};  ///< others that may: what they look at cannot be had without the fault
};

const std::vector<Mutant> mutants = {
    {"encoder mutant_encoders/batch_norm", "batch_equals_singles"},
    {"encoder mutant_encoders/alters_images", "inputs_unaltered"},
    {"encoder mutant_encoders/class_token", "declared_output"},
    {"encoder mutant_encoders/double_features", "declared_output"},
    // There are no numbers to compare.
    {"encoder mutant_encoders/other_device",
     "declared_output",
     {"finite", "batch_equals_singles", "same_generator_same_result", "independent_instances", "weights_registered"}},
    // Whatever compares two losses meets other noise.
    {"encoder mutant_encoders/global_generator",
     "same_generator_same_result",
     {"independent_instances", "weights_registered"}},
    {"encoder mutant_encoders/unregistered", "weights_registered"},
    {"encoder mutant_encoders/unlisted_state", "weights_registered"},
    {"encoder mutant_encoders/detached", "gradients"},
    {"encoder mutant_encoders/prints", "silent"},
    {"encoder mutant_encoders/shares_state", "independent_instances"},
    {"encoder mutant_encoders/foreign_error", "own_errors"},

    // Cached logits cannot equal those of a full prefix whose early tokens have seen the late ones.
    {"backbone mutant_backbones/sees_future", "causality", {"cache"}},
    {"backbone mutant_backbones/forgets_entry", "cache"},
    {"backbone mutant_backbones/forgets_position", "cache"},
    {"backbone mutant_backbones/shares_position", "causality"},
    {"backbone mutant_backbones/alters_block", "inputs_unaltered"},
    {"backbone mutant_backbones/detaches_cache", "gradients"},
    {"backbone mutant_backbones/commits_guesses", "causality"},
    {"backbone mutant_backbones/sees_padding", "causality"},
    {"backbone mutant_backbones/shares_past", "cache"},

    {"denoiser mutant_denoisers/nan_at_zero", "finite_at_ends"},
    {"denoiser mutant_denoisers/ignores_condition", "condition_used"},
    {"denoiser mutant_denoisers/extra_dimension", "declared_output"},
    {"denoiser mutant_denoisers/wrong_gradient", "gradients"},
    {"denoiser mutant_denoisers/wrong_bias_gradient", "gradients"},
    {"denoiser mutant_denoisers/remembers_condition", "conditions_apart"},
    {"denoiser mutant_denoisers/spoils_condition", "conditions_apart"},
    {"denoiser mutant_denoisers/commits_queries", "inputs_unaltered"},
    {"denoiser mutant_denoisers/mean_of_batch", "batch_equals_singles"},

    {"sampler mutant_samplers/overstates_order", "order_of_convergence"},
    {"sampler mutant_samplers/wrong_sign", "order_of_convergence"},
    {"sampler mutant_samplers/detaches_prediction", "gradients"},
    {"sampler mutant_samplers/wrong_scale", "loss_minimum"},
    {"sampler mutant_samplers/ignores_generator", "other_generator_other_result"},
    {"sampler mutant_samplers/one_noise_for_all", "batch_equals_singles"},
    {"sampler mutant_samplers/alters_conditions", "inputs_unaltered"},
    {"sampler mutant_samplers/unlisted_loss", "declared_output"},
    // The kit knows the ends of another schedule than its own only roughly.
    {"sampler mutant_samplers/backwards_time", "finite_at_ends", {"order_of_convergence"}},

    {"decoder mutant_decoders/bytes", "range_and_size"},
    {"decoder mutant_decoders/half_size", "range_and_size", {"declared_output"}},
    {"decoder mutant_decoders/batch_contrast", "batch_equals_singles"},
    {"decoder mutant_decoders/alters_features", "inputs_unaltered"},
    {"decoder mutant_decoders/small_count", "declared_output"},

    {"dataset mutant_others/wanders", "repeatable"},
    {"dataset mutant_others/same_ids", "repeatable"},
    // It looks at the shape too, lest it compare nothing.
    {"dataset mutant_others/grey_pictures", "declared_output", {"repeatable"}},
    {"dataset mutant_others/other_fingerprint", "repeatable"},
    {"dataset mutant_others/leaks_held_out", "held_out"},
    {"tokenizer mutant_others/short_vocabulary", "round_trip"},
    {"tokenizer mutant_others/restore_loses_word", "round_trip"},
    {"tokenizer mutant_others/foreign_error", "own_errors"},
    {"tokenizer mutant_others/throws_number", "own_errors", {"create_destroy"}},
    {"tokenizer mutant_others/refuses_late", "range_ends"},
    {"tokenizer mutant_others/restores_anything", "own_errors"},
    {"tokenizer mutant_others/throwing_check", "defaults"},
    {"tokenizer mutant_others/moody_check", "defaults"},
    {"task mutant_others/never_full", "perfect_is_best"},
    {"task mutant_others/needs_little", "perfect_is_best", {"shuffled_is_worse"}},
    // A score that never changes is no better for the perfect.
    {"task mutant_others/likes_all", "shuffled_is_worse", {"perfect_is_best"}},
};

class MutantsTest : public testing::TestWithParam<const char*> {};

TEST_P(MutantsTest, TheFaultOfEachIsFound) {
  const std::string library = GetParam();
  const auto file = std::filesystem::path(BLIP3U_BUILD_DIR) / "mutants" / (library + ".so");
  std::map<std::string, std::map<std::string, std::string>> failures;  // by component, then check: the detail
  for (const Check& check : verify(load_plugin(file), file, {})) {
    auto& failed = failures[check.component];
    if (check.outcome == Outcome::failed) failed[check.name] = check.detail;
  }
  for (const Mutant& mutant : mutants) {
    const std::string component = mutant.component;
    if (component.find(" " + library + "/") == std::string::npos) continue;
    SCOPED_TRACE(component);
    ASSERT_TRUE(failures.contains(component));
    EXPECT_TRUE(failures[component].contains(mutant.check)) << mutant.check << " should have failed";
    for (const auto& [name, detail] : failures[component]) {
      EXPECT_TRUE(name == mutant.check || mutant.allowed.contains(name)) << name << ": " << detail;
    }
    failures.erase(component);
  }
  // What is left is no mutant.
  EXPECT_FALSE(failures.empty()) << "no sound component";
  for (const auto& [component, failed] : failures) {
    EXPECT_TRUE(component.ends_with("/sound")) << component << " is not in the table";
    for (const auto& [name, detail] : failed) ADD_FAILURE() << component << ": " << name << ": " << detail;
  }
}

INSTANTIATE_TEST_SUITE_P(Libraries, MutantsTest,
                         testing::Values("mutant_encoders", "mutant_backbones", "mutant_denoisers", "mutant_samplers",
                                         "mutant_decoders", "mutant_others"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace blip3u::conformance
