#include "pipeline/host.h"

#include <fmt/format.h>

#include "io/say.h"
#include "weights/folder.h"

namespace blip3u {

namespace {

/// A process alone: every sum and every collection is what it has.
class Alone final : public Ranks {
 public:
  std::int64_t rank() const override { return 0; }
  std::int64_t size() const override { return 1; }
  Tensor sum(const Tensor& value) override { return value; }
  Tensor gather(const Tensor& rows) override { return rows; }
};

class LocalHost final : public Host {
 public:
  LocalHost(std::string title, std::unique_ptr<Weights> weights)
      : title_(std::move(title)), weights_(std::move(weights)) {}
  const Weights* weights() const override { return weights_.get(); }
  Ranks& ranks() override { return ranks_; }
  void note(const std::string& text) override { say(fmt::format("{}: {}", title_, text)); }

 private:
  const std::string title_;
  const std::unique_ptr<Weights> weights_;
  Alone ranks_;
};

}  // namespace

std::unique_ptr<Host> make_host(const ComponentChoice& choice) {
  return std::make_unique<LocalHost>(fmt::format("{} `{}`", kind_name(choice.kind), choice.name),
                                     choice.weights ? open_weights(choice.weights->folder()) : nullptr);
}

Host& plain_host() {
  static LocalHost host("blip3u", nullptr);
  return host;
}

}  // namespace blip3u
