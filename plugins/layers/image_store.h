// The pictures of a data set at one size, kept in memory as bytes. Needs nothing but the files' names until a picture
// is asked for, so that a program that looks at no picture waits for none.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include "blip3u/image.h"

namespace blip3u::layers {

class ImageStore {
 public:
  ImageStore() = default;
  ImageStore(std::vector<std::filesystem::path> files, std::int64_t image_size)
      : files_(std::move(files)), image_size_(image_size) {}

  std::int64_t size() const { return static_cast<std::int64_t>(files_.size()); }

  /// [3,S,S] float32 in [-1,1], rounded to 8 bits. The first call reads all files, unless they would fill more than a
  /// gibibyte: then each is read whenever it is asked for.
  Tensor get(std::int64_t index) {
    constexpr std::int64_t most_bytes = std::int64_t{1} << 30;
    if (size() * 3 * image_size_ * image_size_ > most_bytes) return from_bytes(load(index));
    if (!images_.defined()) load_all();
    return from_bytes(images_[index]);
  }

 private:
  Tensor load(std::int64_t index) const {
    Tensor image = read_image(files_[static_cast<std::size_t>(index)]);
    if (image.size(1) != image_size_ || image.size(2) != image_size_) image = resize_image(image, image_size_);
    return to_bytes(image);
  }

  void load_all() {
    Tensor images = at::empty({size(), 3, image_size_, image_size_}, at::kByte);
    std::atomic<std::int64_t> next = 0;
    std::exception_ptr failure;
    std::mutex failure_mutex;
    const auto work = [&] {
      try {
        for (auto index = next++; index < size(); index = next++) images[index].copy_(load(index));
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
        next = size();
      }
    };
    std::thread helper(work);
    work();
    helper.join();
    if (failure) std::rethrow_exception(failure);
    images_ = images;
  }

  std::vector<std::filesystem::path> files_;
  std::int64_t image_size_ = 0;
  Tensor images_;
};

}  // namespace blip3u::layers
