// A default outside its own range.
#include "blip3u/plugin.h"

namespace {
std::unique_ptr<blip3u::Component> nothing(const blip3u::Parameters&, const blip3u::BuildContext&) { return nullptr; }
constexpr blip3u::ParameterSpec parameters[] = {blip3u::integer("steps", 0, 1, 100, "Steps of the solver.")};
constexpr blip3u::ComponentDescriptor components[] = {
    {.kind = blip3u::Kind::sampler, .name = "bad_default", .summary = "x", .parameters = parameters, .create = nothing},
};
}  // namespace

BLIP3U_PLUGIN("bad_default", "1.0.0", "Apache-2.0", components)
