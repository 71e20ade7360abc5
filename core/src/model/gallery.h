// The pictures of a batch of conversations.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/reader.h"
#include "pipeline/pipeline.h"

namespace blip3u {

/// What the encoder in a role makes of pictures [3,H,W] uint8 on the CPU.
BLIP3U_API Visual encode_by(const Pipeline& pipeline, const std::string& role, std::span<const Tensor> pictures);

/// Pictures as the encoders see them. Each encoder looks at each picture once, when it is first asked for it.
class BLIP3U_API Gallery {
 public:
  using Encode = std::function<Visual(const std::string& role, std::span<const Tensor> pictures)>;

  explicit Gallery(const Pipeline& pipeline);
  Gallery(const Pipeline& pipeline, Encode encode);

  /// Takes in pictures [3,H,W] uint8 on the CPU; returns the number of the first.
  std::int64_t add(std::span<const Tensor> pictures);

  /// All, as the backbone's encoders see them.
  SeenPictures read();

  /// All, as the encoder in a role sees them; without tensors if there are none.
  const Visual& seen_by(const std::string& role);

  /// Given::sources of a link, of rows that name pictures.
  std::vector<Visual> sources(std::size_t link, const std::vector<std::vector<std::int64_t>>& pictures);

 private:
  struct Seen {
    Visual visual;
    std::size_t count = 0;
  };

  const Pipeline& pipeline_;
  Encode encode_;
  std::vector<Tensor> pictures_;
  std::map<std::string, Seen> seen_;  // by role
};

}  // namespace blip3u
