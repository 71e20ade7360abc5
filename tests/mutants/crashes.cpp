// A tokenizer that ends the process: `plugins verify` must still say where.
#include <cstdlib>
#include <iostream>

#include "blip3u/plugin.h"
#include "blip3u/tokenizer.h"

namespace blip3u::mutants {
namespace {

class Crashes : public Tokenizer {
 public:
  Crashes(const Parameters&, const BuildContext&) {}
  std::string serialize() const override { return {}; }
  void restore(const std::string&) override {}
  std::int64_t vocabulary() const override { return 3; }
  std::vector<std::int64_t> encode(std::string_view) const override {
    std::cerr << "its last words" << std::endl;
    std::abort();
  }
  std::string decode(const std::vector<std::int64_t>&) const override { return {}; }
};

constexpr ComponentDescriptor components[] = {
    {.kind = Kind::tokenizer, .name = "aborts", .summary = "Ends the process.", .create = create<Crashes>}};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_crashes", "0.1.0", "Apache-2.0", blip3u::mutants::components)
