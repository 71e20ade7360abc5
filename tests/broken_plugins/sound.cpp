// Nothing wrong with this one: parameters of every type, a loss, and one name as two kinds.
#include "blip3u/plugin.h"

namespace {
using blip3u::boolean;
using blip3u::BuildContext;
using blip3u::Component;
using blip3u::ComponentDescriptor;
using blip3u::integer;
using blip3u::Kind;
using blip3u::number;
using blip3u::Parameters;
using blip3u::ParameterSpec;
using blip3u::required;
using blip3u::text;
using blip3u::texts;
std::unique_ptr<Component> plain(const Parameters&, const BuildContext&) { return std::make_unique<Component>(); }

constexpr const char* solvers[] = {"euler", "heun"};
constexpr const char* capability[] = {"stream"};
constexpr const char* losses[] = {"flow"};
constexpr ParameterSpec parameters[] = {
    boolean("shift", true, "Whether to shift time."),
    integer("steps", 30, 1, 1000, "Steps of the solver."),
    number("guidance", 2.5, 0, 20, "Classifier-free guidance."),
    text("solver", "heun", "How the equation is integrated.", solvers),
    texts("order", "euler,heun", "Solvers to try in turn.", solvers),
    required(text("source", "", "Where it comes from.")),
};
constexpr ComponentDescriptor components[] = {
    {.kind = Kind::sampler,
     .name = "sound",
     .summary = "A sampler for tests.",
     .provides = capability,
     .needs = capability,
     .parameters = parameters,
     .losses = losses,
     .create = plain},
    {.kind = Kind::decoder, .name = "sound", .summary = "A decoder for tests.", .create = plain},
    {.kind = Kind::task, .name = "other", .summary = "A task for tests.", .create = plain},
};
}  // namespace

BLIP3U_PLUGIN("sound", "1.2.3", "Apache-2.0", components)
