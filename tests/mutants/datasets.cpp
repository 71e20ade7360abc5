// Data sets that are wrong in one way each, and a `sound` one, from which they differ.
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include <fmt/format.h>

#include "blip3u/dataset.h"
#include "blip3u/image.h"
#include "blip3u/plugin.h"

namespace blip3u::mutants {
namespace {

constexpr const char* colours[] = {"red", "green", "blue"};

/// Pictures that fade from left to right in one of three colours.
class Fades : public Dataset, public Indexed {
 public:
  Fades(const Parameters&, const BuildContext& context) : image_size_(context.wiring.image_size) {}

  std::vector<Chapter> chapters(Split split) const override { return {{"fades", samples(split)}}; }
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override { return read_in_order(*this, split); }
  std::string fingerprint() const override { return fmt::format("fades {}", image_size_); }
  std::int64_t samples(Split split) const override { return split == Split::train ? 9 : 3; }

  Sample sample(Split split, std::int64_t index) const override {
    const std::int64_t which = split == Split::train ? index : samples(Split::train) + index;
    if (index < 0 || index >= samples(split)) {
      throw Error(fmt::format("dataset: there is no picture {}; ask for one of {}", index, samples(split)));
    }
    Tensor picture = torch::full({3, image_size_, image_size_}, -1.0);
    const double brightest = 1.0 - 0.1 * static_cast<double>(which / 3);
    picture[which % 3] = torch::linspace(-1, brightest, image_size_).expand_as(picture[0]);
    const std::string caption = fmt::format("a {} fade", colours[which % 3]);
    Sample sample;
    sample.id = fmt::format("fade {}", which);
    sample.messages = {{Role::user, {text_part(caption)}}, {Role::assistant, {image_part(0, 1)}}};
    sample.images = {to_bytes(picture)};
    sample.captions = {caption};
    return sample;
  }

 protected:
  std::int64_t image_size_;
};

/// Shifts a picture a little further each time, to have more to train on.
class Wanders : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.images[0] = sample.images[0].roll(calls_++, 2);
    return sample;
  }
  mutable std::atomic<std::int64_t> calls_ = 0;
};

class SameIds : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    if (index == 1) sample.id = "fade 0";
    return sample;
  }
};

/// Its test samples are called like those for training.
class SharedIds : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.id = fmt::format("fade {}", index);
    return sample;
  }
};

class GreyPictures : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.images[0] = sample.images[0].narrow(0, 0, 1);
    return sample;
  }
};

class OtherFingerprint : public Fades {
  using Fades::Fades;
  std::string fingerprint() const override {
    static int calls = 0;
    return fmt::format("{}", ++calls);
  }
};

/// Its fingerprint does not tell what a parameter changes.
class DeafFingerprint : public Fades {
 public:
  DeafFingerprint(const Parameters& parameters, const BuildContext& context)
      : Fades(parameters, context), darker_(parameters.integer("darker")) {}
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.images[0] = sample.images[0].bitwise_right_shift(darker_);
    return sample;
  }

 private:
  std::int64_t darker_;
};
constexpr ParameterSpec darkness[] = {integer("darker", 0, 0, 7, "times that the pictures are halved in brightness")};

class RenamesChapters : public Fades {
  using Fades::Fades;
  std::vector<Chapter> chapters(Split split) const override {
    return {{fmt::format("fades {}", calls_++), samples(split)}};
  }
  mutable std::atomic<std::int64_t> calls_ = 0;
};

/// Says which class is held out, and trains on it.
class LeaksHeldOut : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    sample.labels = {{"held_out", index % 3 == 2 ? "yes" : "no"}};
    return sample;
  }
};

class MiscountsChapter : public Fades {
  using Fades::Fades;
  std::vector<Chapter> chapters(Split split) const override { return {{"fades", samples(split) + 1}}; }
};

/// Wraps the sound reader.
class Wrapper : public Reader {
 public:
  explicit Wrapper(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
  std::optional<Sample> next() override { return reader_->next(); }
  void skip(std::int64_t count) override { reader_->skip(count); }

 protected:
  std::unique_ptr<Reader> reader_;
};

/// Its reader skips one sample too many.
class SkipsTooFar : public Fades {
  using Fades::Fades;
  struct Eager : Wrapper {
    using Wrapper::Wrapper;
    void skip(std::int64_t count) override { reader_->skip(count + 1); }
  };
  std::unique_ptr<Reader> open(Split split, std::int64_t chapter) const override {
    return std::make_unique<Eager>(Fades::open(split, chapter));
  }
};

/// Its reader takes what follows skipped samples for corrupt.
class CorruptAfterSkip : public Fades {
  using Fades::Fades;
  struct Lost : Wrapper {
    using Wrapper::Wrapper;
    bool skipped = false;
    std::optional<Sample> next() override {
      auto sample = reader_->next();
      if (sample && std::exchange(skipped, false)) throw Error("fades: no picture begins here; mend the file");
      return sample;
    }
    void skip(std::int64_t count) override {
      reader_->skip(count);
      skipped = true;
    }
  };
  std::unique_ptr<Reader> open(Split split, std::int64_t chapter) const override {
    return std::make_unique<Lost>(Fades::open(split, chapter));
  }
};

/// Its reader begins anew behind its end, unless it skipped something.
class BeginsAnew : public Fades {
  using Fades::Fades;
  struct Endless : Wrapper {
    Endless(const Fades& fades, Split split) : Wrapper(read_in_order(fades, split)), fades_(fades), split_(split) {}
    std::optional<Sample> next() override {
      auto sample = reader_->next();
      if (!sample && !skipped_) reader_ = read_in_order(fades_, split_);
      return sample;
    }
    void skip(std::int64_t count) override {
      reader_->skip(count);
      skipped_ = true;
    }
    const Fades& fades_;
    Split split_;
    bool skipped_ = false;
  };
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override {
    return std::make_unique<Endless>(*this, split);
  }
};

/// Draws each picture over the one before.
class ReusesPicture : public Fades {
  using Fades::Fades;
  Sample sample(Split split, std::int64_t index) const override {
    Sample sample = Fades::sample(split, index);
    const std::lock_guard lock(mutex_);
    if (!picture_.defined()) picture_ = sample.images[0].clone();
    picture_.copy_(sample.images[0]);
    sample.images[0] = picture_;
    return sample;
  }
  mutable std::mutex mutex_;
  mutable Tensor picture_;
};

/// Its index begins with the last sample.
class IndexTurned : public Fades {
  using Fades::Fades;
  struct Straight final : Indexed {
    const Fades* fades;
    std::int64_t samples(Split split) const override { return fades->samples(split); }
    Sample sample(Split split, std::int64_t index) const override { return fades->Fades::sample(split, index); }
  };
  std::unique_ptr<Reader> open(Split split, std::int64_t) const override {
    straight_.fades = this;
    return read_in_order(straight_, split);
  }
  Sample sample(Split split, std::int64_t index) const override {
    return Fades::sample(split, samples(split) - 1 - index);
  }
  mutable Straight straight_;
};

template <class T>
constexpr ComponentDescriptor dataset(const char* name, const char* summary) {
  return {.kind = Kind::dataset, .name = name, .summary = summary, .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    dataset<Fades>("sound", "Nothing is wrong with it."),
    dataset<Wanders>("wanders", "Its pictures differ from call to call."),
    dataset<SameIds>("same_ids", "Two of its examples have one id."),
    dataset<SharedIds>("shared_ids", "Its splits have ids in common."),
    dataset<GreyPictures>("grey_pictures", "Its pictures have one channel."),
    dataset<OtherFingerprint>("other_fingerprint", "Its fingerprint counts how often it was asked."),
    {.kind = Kind::dataset,
     .name = "deaf_fingerprint",
     .summary = "Its fingerprint does not tell what a parameter changes.",
     .parameters = darkness,
     .create = create<DeafFingerprint>},
    dataset<RenamesChapters>("renames_chapters", "Its chapters have another name at each call."),
    dataset<LeaksHeldOut>("leaks_held_out", "Trains generation on what its prompts hold out."),
    dataset<MiscountsChapter>("miscounts_chapter", "Says that its chapter has one sample more."),
    dataset<SkipsTooFar>("skips_too_far", "Its reader skips one sample too many."),
    dataset<CorruptAfterSkip>("corrupt_after_skip", "What follows skipped samples is corrupt to its reader."),
    dataset<BeginsAnew>("begins_anew", "Its reader begins anew behind its end."),
    dataset<ReusesPicture>("reuses_picture", "Draws each picture over the one before."),
    dataset<IndexTurned>("index_turned", "Its index begins with the last sample."),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_datasets", "0.1.0", "Apache-2.0", blip3u::mutants::components)
