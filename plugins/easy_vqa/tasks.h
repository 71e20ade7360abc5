// The tasks of this world, as the library's table names them.
#pragma once

#include <memory>

#include "blip3u/plugin.h"

namespace blip3u::easy_vqa {

std::unique_ptr<Component> create_generation(const Parameters& parameters, const BuildContext& context);

std::unique_ptr<Component> create_reconstruction(const Parameters& parameters, const BuildContext& context);

inline constexpr const char* scorers[] = {"shapes@1", "shapes@2"};
inline constexpr ParameterSpec scorer_parameter = text(
    "scorer", "shapes@2",
    "how a picture is read: shapes@1 by fill ratio (always names a shape), shapes@2 by outline (may reject)", scorers);
inline constexpr ParameterSpec generation_table[] = {
    scorer_parameter,
    integer("images_seen", 400, 0, 1'000'000, "at least so many images of pairs that training saw, 0: none"),
    integer("images_held_out", 400, 0, 1'000'000, "at least so many images of held-out pairs, 0: none"),
    integer("shown", 6, 0, 100, "so many images of each pair go into the grid of samples"),
};
inline constexpr ParameterSpec reconstruction_table[] = {
    scorer_parameter,
    integer("images", 0, 0, 1'000'000'000, "use only the first so many test images; 0: all"),
    integer("shown", 6, 0, 100, "so many images go into the grid of samples, each beside its original"),
};

}  // namespace blip3u::easy_vqa
