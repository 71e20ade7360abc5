// dataset: conversations in chapters that are read from the front. The core decides order, mixing, windows, worker
// threads, ranks and where to go on after a stop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/component.h"
#include "blip3u/content.h"
#include "blip3u/export.h"

namespace blip3u {

enum class Split { train, test };

/// A piece of a data set that is read from its front: a tar file, a folder, a range of rows.
struct Chapter {
  std::string name;           ///< unique within the split, for people
  std::int64_t samples = -1;  ///< how many, corrupt ones included; -1 if that is known only when it is read
};

/// Reads one chapter, always in the same order. Used by one thread at a time.
class BLIP3U_API Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader();

  /// The next sample, as problem_of() wants it; nothing at the end, and from then on. Throws Error naming file and
  /// place if the sample is corrupt; the reader then stands behind it.
  virtual std::optional<Sample> next() = 0;

  /// Passes over `count` >= 0 samples, corrupt ones included, or all that are left. Throws nothing for a corrupt one.
  /// Reads and drops them unless overridden by something that decodes nothing.
  virtual void skip(std::int64_t count);
};

/// A set of conversations. Making one lists files and reads indices, but nothing that grows with the pictures.
/// All const members may be called from several threads at once.
class BLIP3U_API Dataset : public Component {
 public:
  ~Dataset() override;

  /// Always the same ones in the same order. May be empty for a split that the set lacks.
  virtual std::vector<Chapter> chapters(Split) const = 0;

  /// A reader at the front of chapter `index` of chapters(). Throws Error naming what cannot be opened. The data set
  /// outlives its readers.
  virtual std::unique_ptr<Reader> open(Split, std::int64_t index) const = 0;

  /// A hash of what decides the samples, cheaply had: names and sizes of files, hashes of indices, parameters.
  virtual std::string fingerprint() const = 0;
};

/// A mixin of data sets that can be asked for any sample: they are shuffled as a whole instead of through windows.
/// May be called from several threads at once.
class BLIP3U_API Indexed {
 public:
  virtual ~Indexed();

  virtual std::int64_t samples(Split) const = 0;  ///< how many

  /// Sample `index` of [0, samples). Throws Error naming file and place if it is corrupt.
  virtual Sample sample(Split, std::int64_t index) const = 0;
};

/// A mixin of data sets whose pictures belong to classes; a sample tells its own by the label "class".
class BLIP3U_API Classes {
 public:
  virtual ~Classes();

  virtual std::vector<std::string> classes() const = 0;  ///< their captions, UTF-8, none twice
};

/// A reader of all samples of an indexed data set by their index, for those that have one chapter. Does not own it.
BLIP3U_API std::unique_ptr<Reader> read_in_order(const Indexed& dataset, Split split);

/// Gives each sample of a split in order, until `take` returns false. Throws Error for a corrupt one.
BLIP3U_API void for_each_sample(const Dataset& dataset, Split split, const std::function<bool(Sample&&)>& take);

/// The value of a label of a sample; "" if it has none.
BLIP3U_API std::string label_of(const Sample& sample, std::string_view name);

}  // namespace blip3u
