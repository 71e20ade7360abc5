// The tasks of this world, as the library's table names them.
#pragma once

#include <memory>

#include "blip3u/plugin.h"

namespace blip3u::scenes {

std::unique_ptr<Component> create_generation(const Parameters& parameters, const BuildContext& context);
std::unique_ptr<Component> create_reconstruction(const Parameters& parameters, const BuildContext& context);
std::unique_ptr<Component> create_editing(const Parameters& parameters, const BuildContext& context);
std::unique_ptr<Component> create_questions(const Parameters& parameters, const BuildContext& context);
std::unique_ptr<Component> create_reasoning(const Parameters& parameters, const BuildContext& context);
std::unique_ptr<Component> create_dialogue(const Parameters& parameters, const BuildContext& context);
std::unique_ptr<Component> create_modality(const Parameters& parameters, const BuildContext& context);
std::unique_ptr<Component> create_round_trip(const Parameters& parameters, const BuildContext& context);

inline constexpr ParameterSpec images_parameter =
    integer("images", 400, 0, 1'000'000'000,
            "so many of each type that training saw, and of each part that it did not see in all; 0: all");
inline constexpr ParameterSpec shown_parameter =
    integer("shown", 2, 0, 100, "so many of each type and part go into the grid of samples");
inline constexpr ParameterSpec picture_table[] = {images_parameter, shown_parameter};
inline constexpr ParameterSpec text_table[] = {images_parameter};
inline constexpr ParameterSpec dialogue_table[] = {
    integer("dialogues", 400, 0, 1'000'000'000, "so many dialogues; 0: all"),
    integer("shown", 2, 0, 100, "so many go into the grid of samples"),
};
inline constexpr ParameterSpec each_type_table[] = {
    integer("images", 50, 0, 1'000'000'000, "so many of each type of each kind; 0: all"),
};

/// All tasks, for the library's table.
inline constexpr ComponentDescriptor task_components[] = {
    {.kind = Kind::task,
     .name = "generation",
     .summary = "Pictures of GenEval's six types of prompts and more, read exactly: seen and unseen apart.",
     .parameters = picture_table,
     .create = create_generation},
    {.kind = Kind::task,
     .name = "reconstruction",
     .summary = "Test pictures of scenes through encoder and decoder, read exactly: the ceiling of generation.",
     .parameters = picture_table,
     .create = create_reconstruction},
    {.kind = Kind::task,
     .name = "editing",
     .summary = "Edited scenes: whether the named change was made and all else kept.",
     .parameters = picture_table,
     .create = create_editing},
    {.kind = Kind::task,
     .name = "questions",
     .summary = "Questions about scenes by their kinds, beside a blind guesser, and captions.",
     .parameters = text_table,
     .create = create_questions},
    {.kind = Kind::task,
     .name = "reasoning",
     .summary = "Pictures that must be reasoned out: at once, and after the model's own reasoning as text.",
     .parameters = picture_table,
     .create = create_reasoning},
    {.kind = Kind::task,
     .name = "dialogue",
     .summary = "Dialogues of six turns with the model's own replies: all turns right, and each.",
     .parameters = dialogue_table,
     .create = create_dialogue},
    {.kind = Kind::task,
     .name = "modality",
     .summary = "Whether the model itself answers with text or with a picture, as is asked.",
     .parameters = each_type_table,
     .create = create_modality},
    {.kind = Kind::task,
     .name = "round_trip",
     .summary = "The model's answers about pictures that it drew itself, against the exact scorer.",
     .parameters = each_type_table,
     .create = create_round_trip},
};

}  // namespace blip3u::scenes
