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

/// Of backbones for which a block is never what its pieces are, so that nothing can be compared with one.
const std::set<std::string> of_pieces = {"cache", "long_context", "cache_gradients", "sessions", "places"};

const std::vector<Mutant> mutants = {
    {"encoder mutant_encoders/batch_norm", "batch_equals_singles"},
    {"encoder mutant_encoders/alters_images", "inputs_unaltered"},
    {"encoder mutant_encoders/class_token", "declared_output"},
    {"encoder mutant_encoders/double_features", "declared_output"},
    // There are no numbers to compare.
    {"encoder mutant_encoders/other_device",
     "declared_output",
     {"finite", "batch_equals_singles", "same_generator_same_result", "independent_instances", "results_last",
      "weights_registered", "encode_with_gradients"}},
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
    {"encoder mutant_encoders/noisy_with_gradients", "encode_with_gradients"},
    {"encoder mutant_encoders/reuses_memory", "results_last"},

    {"encoder mutant_code_encoders/reads_padding", "text_padding"},
    {"encoder mutant_code_encoders/feels_length", "text_padding"},
    {"encoder mutant_code_encoders/one_group_behind", "codes"},
    {"encoder mutant_code_encoders/extra_group", "codes"},

    {"backbone mutant_backbones/sees_future", "causality", of_pieces},
    {"backbone mutant_backbones/forgets_entry", "cache", of_pieces},
    {"backbone mutant_backbones/forgets_position", "cache", of_pieces},
    {"backbone mutant_backbones/shares_position", "causality", {"sessions", "places"}},
    {"backbone mutant_backbones/alters_block", "inputs_unaltered", {"cache_gradients"}},
    {"backbone mutant_backbones/detaches_cache", "gradients", {"cache_gradients"}},
    {"backbone mutant_backbones/commits_guesses", "causality", {"sessions"}},
    {"backbone mutant_backbones/sees_padding", "causality", {"sessions", "places", "pictures"}},
    {"backbone mutant_backbones/shares_past", "cache", {"cache_gradients", "sessions"}},
    {"backbone mutant_backbones/ignores_places", "places"},
    {"backbone mutant_backbones/absolute_places", "places"},
    {"backbone mutant_backbones/padding_stands", "places"},
    {"backbone mutant_backbones/groups_of_first", "causality"},
    {"backbone mutant_backbones/nan_for_padding", "causality", {"cache_gradients"}},
    {"backbone mutant_backbones/ignores_experts", "experts"},
    {"backbone mutant_backbones/drops_valid", "pictures"},
    {"backbone mutant_backbones/blind", "pictures", {"gradients", "weights_registered"}},
    {"backbone mutant_backbones/forgets_extra_words", "declared_output"},

    {"backbone mutant_sessions/rows_in_order", "sessions"},
    {"backbone mutant_sessions/rows_forget_position", "sessions", {"cache_gradients"}},
    {"backbone mutant_sessions/counts_uncommitted", "sessions"},
    {"backbone mutant_sessions/weighs_nothing", "sessions"},
    {"backbone mutant_sessions/spoilt_by_refusal", "sessions"},
    {"backbone mutant_sessions/needs_origin", "sessions"},
    {"backbone mutant_sessions/writes_into_reserve", "sessions"},
    {"backbone mutant_sessions/detaches_forks", "cache_gradients"},
    {"backbone mutant_sessions/window_of_64", "long_context"},
    {"backbone mutant_sessions/joins_at_longest", "sessions"},
    {"backbone mutant_sessions/joins_with_filling", "sessions"},

    {"denoiser mutant_denoisers/nan_at_zero", "finite_at_ends", {"times_ahead"}},
    {"denoiser mutant_denoisers/ignores_condition", "condition_used"},
    {"denoiser mutant_denoisers/extra_dimension", "declared_output"},
    {"denoiser mutant_denoisers/wrong_gradient", "gradients"},
    {"denoiser mutant_denoisers/wrong_bias_gradient", "gradients"},
    {"denoiser mutant_denoisers/remembers_condition", "conditions_apart"},
    {"denoiser mutant_denoisers/spoils_condition", "conditions_apart", {"times_ahead"}},
    {"denoiser mutant_denoisers/commits_queries", "inputs_unaltered"},
    {"denoiser mutant_denoisers/mean_of_batch", "batch_equals_singles"},
    {"denoiser mutant_denoisers/counts_from_one", "times_ahead"},
    {"denoiser mutant_denoisers/reads_padding", "given_pictures"},
    {"denoiser mutant_denoisers/keeps_nothing", "keeps"},
    {"denoiser mutant_denoisers/keeps_a_blank", "keeps"},
    {"denoiser mutant_denoisers/keeps_the_mean", "keeps"},
    {"denoiser mutant_denoisers/empties_all", "nulls", {"gradients"}},
    {"denoiser mutant_denoisers/empties_half", "nulls"},
    {"denoiser mutant_denoisers/unlisted_keep", "keeps"},
    {"denoiser mutant_denoisers/takes_again", "losses_besides"},
    {"denoiser mutant_denoisers/unlisted_besides", "losses_besides"},

    {"denoiser mutant_code_denoisers/sees_itself", "codes", {"stream"}},
    {"denoiser mutant_code_denoisers/forgets_choice", "stream"},
    {"denoiser mutant_code_denoisers/shares_choice", "stream"},
    {"denoiser mutant_code_denoisers/unlisted_stream", "stream"},
    {"denoiser mutant_code_denoisers/no_stream", "stream"},
    {"denoiser mutant_code_denoisers/mask_is_a_code", "codes"},
    {"denoiser mutant_code_denoisers/sees_no_other", "codes"},

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

    {"sampler mutant_samplers/ignores_guidance", "guidance"},
    {"sampler mutant_samplers/reverses_contexts", "guidance"},
    {"sampler mutant_samplers/guides_twice", "guidance"},
    {"sampler mutant_samplers/silent", "watch"},
    {"sampler mutant_samplers/deaf", "watch"},
    {"sampler mutant_samplers/one_too_many", "watch"},
    {"sampler mutant_samplers/other_error", "watch"},
    {"sampler mutant_samplers/times_backwards", "times"},
    {"sampler mutant_samplers/overstating_solver", "order_of_convergence"},

    {"sampler mutant_code_samplers/unguided", "guidance"},
    {"sampler mutant_code_samplers/leaves_masks", "declared_output"},
    {"sampler mutant_code_samplers/detaches_logits", "gradients"},

    {"guidance mutant_guidances/unbalanced", "equal_contexts"},
    {"guidance mutant_guidances/nothing_first", "contexts"},
    {"guidance mutant_guidances/wavers", "contexts"},
    {"guidance mutant_guidances/needs_time", "without_time"},
    // Whatever it is asked, it adds what it was asked before.
    {"guidance mutant_guidances/remembers",
     "same_generator_same_result",
     {"batch_equals_singles", "independent_instances"}},
    {"guidance mutant_guidances/alters_predictions", "inputs_unaltered"},
    {"guidance mutant_guidances/spread_of_batch", "batch_equals_singles"},

    {"decoder mutant_decoders/ignores_watch", "watch"},
    {"decoder mutant_decoders/goes_on", "watch"},
    {"decoder mutant_decoders/bytes", "range_and_size"},
    {"decoder mutant_decoders/half_size", "range_and_size", {"declared_output"}},
    {"decoder mutant_decoders/batch_contrast", "batch_equals_singles"},
    {"decoder mutant_decoders/alters_features", "inputs_unaltered"},
    {"decoder mutant_decoders/small_count", "declared_output"},

    {"dataset mutant_datasets/wanders", "repeatable", {"readers", "index"}},
    {"dataset mutant_datasets/same_ids", "declared_output"},
    {"dataset mutant_datasets/shared_ids", "declared_output"},
    // It looks at the shape too, lest it compare nothing.
    {"dataset mutant_datasets/grey_pictures", "declared_output", {"repeatable"}},
    {"dataset mutant_datasets/other_fingerprint", "repeatable"},
    {"dataset mutant_datasets/deaf_fingerprint", "fingerprint"},
    {"dataset mutant_datasets/renames_chapters", "repeatable"},
    {"dataset mutant_datasets/leaks_held_out", "held_out"},
    {"dataset mutant_datasets/miscounts_chapter", "declared_output"},
    {"dataset mutant_datasets/skips_too_far", "readers"},
    {"dataset mutant_datasets/corrupt_after_skip", "readers"},
    {"dataset mutant_datasets/begins_anew", "readers"},
    {"dataset mutant_datasets/reuses_picture", "readers"},
    {"dataset mutant_datasets/index_turned", "index"},
    {"tokenizer mutant_tokenizers/short_vocabulary", "round_trip"},
    {"tokenizer mutant_tokenizers/restore_loses_word", "round_trip"},
    {"tokenizer mutant_tokenizers/foreign_error", "own_errors"},
    {"tokenizer mutant_tokenizers/throws_number", "own_errors", {"create_destroy"}},
    {"tokenizer mutant_tokenizers/refuses_late", "range_ends"},
    {"tokenizer mutant_tokenizers/restores_anything", "own_errors"},
    {"tokenizer mutant_tokenizers/throwing_check", "defaults"},
    {"tokenizer mutant_tokenizers/moody_check", "defaults"},
    {"task mutant_tasks/never_full", "perfect_is_best", {"intervals"}},
    {"task mutant_tasks/repeats_item", "items"},
    {"task mutant_tasks/remembers_scores", "pure_scores", {"perfect_is_best"}},
    {"task mutant_tasks/tires", "pure_scores", {"perfect_is_best", "shuffled_is_worse"}},
    {"task mutant_tasks/moves_record", "pure_scores"},
    {"task mutant_tasks/scores_by_nan", "pure_scores"},
    {"task mutant_tasks/remembers_sums", "pure_scores"},
    {"task mutant_tasks/counts_few", "intervals"},
    {"task mutant_tasks/no_width", "intervals"},
    {"task mutant_tasks/nan_when_wrong", "intervals", {"perfect_is_best", "shuffled_is_worse"}},
    {"task mutant_tasks/interval_beside", "intervals"},
    {"task mutant_tasks/needs_little", "perfect_is_best", {"shuffled_is_worse"}},
    // A score that never changes is no better for the perfect.
    {"task mutant_tasks/likes_all", "shuffled_is_worse", {"perfect_is_best"}},
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
    EXPECT_NE(component.find("/sound"), std::string::npos) << component << " is not in the table";
    for (const auto& [name, detail] : failed) ADD_FAILURE() << component << ": " << name << ": " << detail;
  }
}

INSTANTIATE_TEST_SUITE_P(Libraries, MutantsTest,
                         testing::Values("mutant_encoders", "mutant_code_encoders", "mutant_backbones",
                                         "mutant_sessions", "mutant_denoisers", "mutant_code_denoisers",
                                         "mutant_samplers", "mutant_code_samplers", "mutant_guidances",
                                         "mutant_decoders", "mutant_datasets", "mutant_tokenizers", "mutant_tasks"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace blip3u::conformance
