// Two components of one kind and name.
#include "blip3u/plugin.h"

namespace {
std::unique_ptr<blip3u::Component> nothing(const blip3u::Parameters&, const blip3u::BuildContext&) { return nullptr; }
constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::sampler, .name = "heun", .summary = "The first.", .create = nothing},
    {.kind = blip3u::Kind::sampler, .name = "heun", .summary = "The second.", .create = nothing},
};
}  // namespace

BLIP3U_PLUGIN("twins", "1.0.0", "Apache-2.0", components)
