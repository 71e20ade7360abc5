#include <algorithm>

#include "blip3u/error.h"
#include "blip3u/stream.h"

namespace blip3u {

namespace {

class InOrder final : public Reader {
 public:
  InOrder(const Indexed& source, Split split) : source_(source), split_(split), size_(source.samples(split)) {}

  std::optional<Sample> next() override {
    if (index_ >= size_) return std::nullopt;
    return source_.sample(split_, index_++);
  }
  void skip(std::int64_t count) override { index_ += std::min(count, size_ - index_); }

 private:
  const Indexed& source_;
  Split split_;
  std::int64_t size_;
  std::int64_t index_ = 0;
};

}  // namespace

Reader::~Reader() = default;
Source::~Source() = default;
Indexed::~Indexed() = default;

void Reader::skip(std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      if (!next()) return;
    } catch (const Error& error) {
      if (error.fault() != Fault::runtime) throw;
    }
  }
}

std::unique_ptr<Reader> read_in_order(const Indexed& source, Split split) {
  return std::make_unique<InOrder>(source, split);
}

}  // namespace blip3u
