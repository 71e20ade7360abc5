// The core's services to one component.
#pragma once

#include <memory>

#include "blip3u/host.h"
#include "recipe/recipe.h"

namespace blip3u {

/// Of a single process. Maps the weights that the recipe gives the component.
BLIP3U_API std::unique_ptr<Host> make_host(const ComponentChoice& choice);

/// For components that nothing is given; lives as long as the process.
BLIP3U_API Host& plain_host();

}  // namespace blip3u
