// A sound library whose factories fail in every way there is, and one that works.
#include <new>
#include <stdexcept>

#include <c10/util/Exception.h>

#include "blip3u/plugin.h"

namespace {
using blip3u::BuildContext;
using blip3u::Component;
using blip3u::ComponentDescriptor;
using blip3u::Kind;
using blip3u::Parameters;
using Made = std::unique_ptr<Component>;

Made foreign(const Parameters&, const BuildContext&) { throw std::out_of_range("index 7\nand more lines"); }
Made torch(const Parameters&, const BuildContext&) { TORCH_CHECK(false, "shapes differ"); }
Made number(const Parameters&, const BuildContext&) { throw 7; }
Made own(const Parameters&, const BuildContext&) {
  throw blip3u::Error(blip3u::Fault::runtime, "data.txt: no such file; make it");
}
Made memory(const Parameters&, const BuildContext&) { throw std::bad_alloc(); }
Made null(const Parameters&, const BuildContext&) { return nullptr; }
Made plain(const Parameters&, const BuildContext&) { return std::make_unique<Component>(); }

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::sampler, .name = "foreign", .summary = "Throws std::out_of_range.", .create = foreign},
    {.kind = Kind::sampler, .name = "torch", .summary = "Throws c10::Error.", .create = torch},
    {.kind = Kind::sampler, .name = "number", .summary = "Throws a number.", .create = number},
    {.kind = Kind::sampler, .name = "own", .summary = "Throws blip3u::Error.", .create = own},
    {.kind = Kind::sampler, .name = "memory", .summary = "Runs out of memory.", .create = memory},
    {.kind = Kind::sampler, .name = "null", .summary = "Returns nothing.", .create = null},
    {.kind = Kind::sampler, .name = "plain", .summary = "Returns no sampler.", .create = plain},
};
}  // namespace

BLIP3U_PLUGIN("throwing", "1.0.0", "Apache-2.0", components)
