// The pictures of a data set, each read when it is first asked for and then kept in memory as bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "blip3u/image.h"

namespace blip3u::layers {

/// May be used by several threads at once.
class ImageStore {
 public:
  ImageStore() = default;

  /// image_size 0: as they are stored; else the central square of each at S x S pixels.
  explicit ImageStore(std::vector<std::filesystem::path> files, std::int64_t image_size = 0)
      : files_(std::move(files)), image_size_(image_size), kept_(std::make_unique<Kept>()) {
    kept_->images.resize(files_.size());
  }

  std::int64_t size() const { return static_cast<std::int64_t>(files_.size()); }

  /// [3,H,W] uint8, shared with the store and so not to be written to. All that fits into a gibibyte is kept; the rest
  /// is read whenever it is asked for.
  Tensor bytes(std::int64_t index) const {
    constexpr std::int64_t most_bytes = std::int64_t{1} << 30;
    const auto place = static_cast<std::size_t>(index);
    {
      const std::lock_guard lock(kept_->mutex);
      if (kept_->images[place].defined()) return kept_->images[place];
    }
    Tensor image = read_image(files_[place]);
    if (image_size_ > 0 && (image.size(1) != image_size_ || image.size(2) != image_size_)) {
      image = resize_image(image, image_size_);
    }
    image = to_bytes(image);
    const std::lock_guard lock(kept_->mutex);
    if (!kept_->images[place].defined() && kept_->bytes + image.numel() <= most_bytes) {
      kept_->bytes += image.numel();
      kept_->images[place] = image;
    }
    return image;
  }

 private:
  struct Kept {
    std::mutex mutex;
    std::vector<Tensor> images;
    std::int64_t bytes = 0;
  };

  std::vector<std::filesystem::path> files_;
  std::int64_t image_size_ = 0;
  std::unique_ptr<Kept> kept_;
};

}  // namespace blip3u::layers
