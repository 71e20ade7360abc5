// Components that end the process: `plugins verify` must still say where.
#include <cstdlib>
#include <iostream>

#include "blip3u/decoder.h"
#include "blip3u/plugin.h"
#include "blip3u/tokenizer.h"

namespace blip3u::mutants {
namespace {

class Silent : public Tokenizer {
 public:
  std::string serialize() const override { return {}; }
  void restore(const std::string&) override {}
  std::int64_t vocabulary() const override { return 3; }
  std::string decode(const std::vector<std::int64_t>&) const override { return {}; }
};

struct Aborts : Silent {
  Aborts(const Parameters&, const BuildContext&) {}
  std::vector<std::int64_t> encode(std::string_view) const override {
    std::cerr << "its last words" << std::endl;
    std::abort();
  }
};

struct Exits : Silent {
  Exits(const Parameters&, const BuildContext&) {}
  std::vector<std::int64_t> encode(std::string_view) const override { std::exit(0); }
};

struct Recurses : Silent {
  Recurses(const Parameters&, const BuildContext&) {}
  std::vector<std::int64_t> encode(std::string_view text) const override {
    if (text.size() > 1'000'000) return {};
    auto ids = encode(text);
    ids.push_back(0);  // so that the call stays one
    return ids;
  }
};

struct Divides : Decoder {
  Divides(const Parameters&, const BuildContext&) {}
  static void check(const Parameters&, Wiring& wiring) {
    if (wiring.image_size % wiring.features.tokens != 0) wiring.reject("", "its patches do not fill a picture");
  }
  Tensor decode(const DecodeTask& task) override { return task.visual.x; }
};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::decoder,
     .name = "divides",
     .summary = "By zero.",
     .check = &Divides::check,
     .create = create<Divides>},
    {.kind = Kind::tokenizer, .name = "aborts", .summary = "Aborts the process.", .create = create<Aborts>},
    {.kind = Kind::tokenizer, .name = "exits", .summary = "Exits as if all were well.", .create = create<Exits>},
    {.kind = Kind::tokenizer, .name = "recurses", .summary = "Has no stack left.", .create = create<Recurses>}};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_crashes", "0.1.0", "Apache-2.0", blip3u::mutants::components)
