// The plugin library `tasks`.
#include "blip3u/plugin.h"
#include "blip3u/parameters.h"
#include "components.h"

namespace {

constexpr const char* scorers[] = {"shapes@1", "shapes@2"};
constexpr blip3u::ParameterSpec scorer_parameter = blip3u::text(
    "scorer", "shapes@2",
    "how a picture is read: shapes@1 by fill ratio (always names a shape), shapes@2 by outline (may reject)", scorers);

constexpr blip3u::ParameterSpec vqa_parameters[] = {
    blip3u::integer("questions", 0, 0, 1'000'000'000, "ask only the first so many test questions; 0: all"),
};
constexpr blip3u::ParameterSpec reconstruction_parameters[] = {
    scorer_parameter,
    blip3u::integer("images", 0, 0, 1'000'000'000, "use only the first so many test images; 0: all"),
    blip3u::integer("shown", 6, 0, 100, "so many images go into the grid of samples, each beside its original"),
};
constexpr blip3u::ParameterSpec generation_parameters[] = {
    scorer_parameter,
    blip3u::integer("images_seen", 400, 0, 1'000'000, "at least so many images of prompts that training saw, 0: none"),
    blip3u::integer("images_held_out", 400, 0, 1'000'000, "at least so many images of held-out prompts, 0: none"),
    blip3u::integer("shown", 6, 0, 100, "so many images of each prompt go into the grid of samples"),
};

constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::task,
     .name = "vqa",
     .summary = "Answers to the test questions, compared word for word; beside them those of a blind majority.",
     .parameters = vqa_parameters,
     .create = blip3u::eval::create_vqa},
    {.kind = blip3u::Kind::task,
     .name = "classification",
     .summary = "Zero-shot classification of the test images by the captions of the data set's classes.",
     .create = blip3u::eval::create_classification},
    {.kind = blip3u::Kind::task,
     .name = "reconstruction",
     .summary = "Test images through encoder and decoder, judged by colour and shape: the ceiling of generation.",
     .parameters = reconstruction_parameters,
     .create = blip3u::eval::create_reconstruction},
    {.kind = blip3u::Kind::task,
     .name = "generation",
     .summary = "Images made from the data set's prompts, judged by colour and shape where prompts name them, seen and "
                "held-out prompts apart.",
     .parameters = generation_parameters,
     .create = blip3u::eval::create_generation},
};

}  // namespace

BLIP3U_PLUGIN("tasks", "0.1.0", "Apache-2.0", components)
