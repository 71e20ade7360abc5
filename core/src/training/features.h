// Features of a frozen encoder, made when they are first asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include <c10/core/Device.h>

#include "blip3u/encoder.h"
#include "blip3u/visual.h"
#include "data/feature_cache.h"

namespace blip3u {

/// Remembers what an encoder made of each picture, by the picture's content: in memory up to a gibibyte, and on disk.
/// Each picture is encoded alone, so that its features do not depend on what else was asked for with it. Those of an
/// encoder whose rows differ in tokens are not kept, nor are those of pictures that are not seen twice: these are
/// encoded together.
class BLIP3U_API Features {
 public:
  /// `folder` must be named by everything that decides the features besides the pictures; without one nothing is kept
  /// on disk. Unless it keeps, nothing is kept at all.
  Features(Encoder& encoder, std::int64_t image_size, at::Device device,
           const std::optional<std::filesystem::path>& folder, bool keeps = true);

  /// Of pictures [3,H,W] uint8 on the CPU; on the device, without gradients. Several threads may ask.
  Visual of(std::span<const Tensor> pictures);

  /// Writes what is not on disk yet.
  void flush();

 private:
  const FeatureRow& row(const Tensor& picture);

  Encoder& encoder_;
  std::int64_t image_size_;
  at::Device device_;
  std::optional<std::filesystem::path> folder_;
  bool keeps_;
  std::mutex kept_mutex_;               // guards all below
  std::optional<FeatureCache> stored_;  // once something is asked for
  std::unordered_map<std::string, FeatureRow> kept_;
  std::int64_t kept_bytes_ = 0;
  FeatureRow latest_;  // one that is not kept
};

/// Of encoders, by role.
using FeatureTable = std::map<std::string, Features, std::less<>>;

}  // namespace blip3u
