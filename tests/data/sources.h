// Sources whose samples say where they stand.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "blip3u/dataset.h"
#include "blip3u/error.h"

namespace blip3u {

inline Sample sample_called(std::string id) {
  Sample sample;
  sample.id = std::move(id);
  sample.messages = {{Role::user, {text_part("what is it?")}}, {Role::assistant, {text_part(sample.id, 1)}}};
  return sample;
}

/// Chapters of given lengths, of which some samples ("chapter.place") are corrupt.
class Chapters : public Dataset {
 public:
  explicit Chapters(std::vector<std::int64_t> lengths, std::set<std::string> corrupt = {})
      : lengths_(std::move(lengths)), corrupt_(std::move(corrupt)) {}

  std::vector<Chapter> chapters(Split) const override {
    std::vector<Chapter> result;
    for (std::size_t i = 0; i < lengths_.size(); ++i) result.push_back({.name = "chapter " + std::to_string(i)});
    return result;
  }

  std::unique_ptr<Reader> open(Split, std::int64_t chapter) const override {
    return std::make_unique<FakeReader>(*this, chapter);
  }

  std::string fingerprint() const override { return "chapters"; }

 private:
  class FakeReader : public Reader {
   public:
    FakeReader(const Chapters& source, std::int64_t chapter) : source_(source), chapter_(chapter) {}

    std::optional<Sample> next() override {
      if (place_ == source_.lengths_[static_cast<std::size_t>(chapter_)]) return std::nullopt;
      std::string id = std::to_string(chapter_) + "." + std::to_string(place_++);
      if (source_.corrupt_.contains(id)) throw Error(id + " is torn");
      return sample_called(std::move(id));
    }

   private:
    const Chapters& source_;
    std::int64_t chapter_, place_ = 0;
  };

  std::vector<std::int64_t> lengths_;
  std::set<std::string> corrupt_;
};

class Numbered : public Dataset, public Indexed {
 public:
  explicit Numbered(std::int64_t size, std::set<std::int64_t> corrupt = {})
      : size_(size), corrupt_(std::move(corrupt)) {}

  std::vector<Chapter> chapters(Split) const override { return {{.name = "all", .samples = size_}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return "numbered"; }
  std::int64_t samples(Split) const override { return size_; }
  Sample sample(Split, std::int64_t index) const override {
    if (corrupt_.contains(index)) throw Error("number " + std::to_string(index) + " is torn");
    return sample_called("n" + std::to_string(index));
  }

 private:
  std::int64_t size_;
  std::set<std::int64_t> corrupt_;
};

}  // namespace blip3u
