// The plugin library `tasks`.
#include "blip3u/plugin.h"
#include "blip3u/parameters.h"
#include "components.h"

namespace {

constexpr blip3u::ParameterSpec vqa_parameters[] = {
    blip3u::integer("questions", 0, 0, 1'000'000'000, "ask only the first so many test questions; 0: all"),
    blip3u::integer("longest", 16, 1, 100'000, "tokens of an answer at most"),
};
constexpr blip3u::ParameterSpec captioning_parameters[] = {
    blip3u::text("question", "describe it", "what asks for a caption; training should have asked the same"),
    blip3u::integer("images", 0, 0, 1'000'000'000, "use only the first so many test images; 0: all"),
    blip3u::integer("longest", 32, 1, 100'000, "tokens of a caption at most"),
};
constexpr blip3u::ParameterSpec classification_parameters[] = {
    blip3u::integer("shown", 24, 0, 1'000, "of so many images, spread over all, mistakes are shown in the report"),
};
constexpr blip3u::ParameterSpec reconstruction_parameters[] = {
    blip3u::integer("images", 0, 0, 1'000'000'000, "use only the first so many test images; 0: all"),
    blip3u::integer("shown", 6, 0, 100, "so many images go into the grid of samples, each beside its original"),
};
constexpr blip3u::ParameterSpec generation_parameters[] = {
    blip3u::integer("prompts", 32, 1, 10'000, "so many distinct captions of test images"),
    blip3u::integer("images", 4, 1, 1'000, "of each"),
};

constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::task,
     .name = "vqa",
     .summary = "Answers to the test questions, compared word for word; beside them those of a blind majority.",
     .parameters = vqa_parameters,
     .create = blip3u::eval::create_vqa},
    {.kind = blip3u::Kind::task,
     .name = "captioning",
     .summary =
         "Captions of test images, by the words that they share with those given; beside them the usual caption.",
     .parameters = captioning_parameters,
     .create = blip3u::eval::create_captioning},
    {.kind = blip3u::Kind::task,
     .name = "classification",
     .summary = "Zero-shot classification of the test images by the captions of the data set's classes.",
     .parameters = classification_parameters,
     .create = blip3u::eval::create_classification},
    {.kind = blip3u::Kind::task,
     .name = "reconstruction",
     .summary = "Test images through encoder and decoder: how far their pixels are from what they were.",
     .parameters = reconstruction_parameters,
     .create = blip3u::eval::create_reconstruction},
    {.kind = blip3u::Kind::task,
     .name = "generation",
     .summary = "Images made from captions of test images, for people to look at, and how different those of one are.",
     .parameters = generation_parameters,
     .create = blip3u::eval::create_generation},
};

}  // namespace

BLIP3U_PLUGIN("tasks", "0.2.0", "Apache-2.0", components)
