#include "blip3u/dataset.h"

#include <algorithm>

#include "blip3u/error.h"

namespace blip3u {

namespace {

class InOrder final : public Reader {
 public:
  InOrder(const Indexed& dataset, Split split) : dataset_(dataset), split_(split), size_(dataset.samples(split)) {}

  std::optional<Sample> next() override {
    if (index_ >= size_) return std::nullopt;
    return dataset_.sample(split_, index_++);
  }
  void skip(std::int64_t count) override { index_ += std::min(count, size_ - index_); }

 private:
  const Indexed& dataset_;
  Split split_;
  std::int64_t size_;
  std::int64_t index_ = 0;
};

}  // namespace

void Reader::skip(std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      if (!next()) return;
    } catch (const Error& error) {
      if (error.fault() != Fault::runtime) throw;
    }
  }
}

std::unique_ptr<Reader> read_in_order(const Indexed& dataset, Split split) {
  return std::make_unique<InOrder>(dataset, split);
}

void for_each_sample(const Dataset& dataset, Split split, const std::function<bool(Sample&&)>& take) {
  const auto chapters = static_cast<std::int64_t>(dataset.chapters(split).size());
  for (std::int64_t chapter = 0; chapter < chapters; ++chapter) {
    const auto reader = dataset.open(split, chapter);
    while (std::optional<Sample> sample = reader->next()) {
      if (!take(std::move(*sample))) return;
    }
  }
}

std::string label_of(const Sample& sample, std::string_view name) {
  const auto found = std::ranges::find(sample.labels, name, &std::pair<std::string, std::string>::first);
  return found == sample.labels.end() ? std::string() : found->second;
}

}  // namespace blip3u
