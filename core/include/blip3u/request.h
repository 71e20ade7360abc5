// What the model is asked and what it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/content.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// How words of a reply are chosen.
struct TextSampling {
  double temperature = 0;          ///< divides the logits; 0: always the likeliest word
  double top_p = 1;                ///< in (0,1]: only the likeliest that have this share (Holtzman et al. 2020)
  std::int64_t top_k = 0;          ///< only so many of the likeliest; 0: all
  std::vector<std::string> stops;  ///< texts that end the reply, and are not part of it
  std::int64_t longest = 256;      ///< tokens of a reply, its pictures not counted
};

/// How pictures of a reply are made, beyond what the recipe says.
struct ImageSampling {
  std::string negative;      ///< what guidance leads away from, where it asks for that; UTF-8
  std::int64_t preview = 0;  ///< a preview after every so many steps; 0: none
  std::int64_t most = 1;     ///< pictures of a reply
};

/// What a reply may be. `any` leaves it to the model, which needs a tokenizer that announces pictures.
enum class Want { text, image, any };

/// One conversation that the assistant is to go on with. Requests of one batch do not influence each other.
struct Request {
  std::vector<Message> messages;  ///< the last may be the assistant's, which the reply then continues
  std::vector<Tensor> images;     ///< that the messages name: [3,H,W] float32 in [-1,1] on the CPU
  Want want = Want::text;
  std::uint64_t seed = 0;
  TextSampling text = {};
  ImageSampling image = {};
};

/// The assistant's message; its parts name `images`, counted after those of the request.
struct Reply {
  enum class End { stop, limit, cancelled };
  Message message;
  std::vector<Tensor> images;  ///< made: [3,S,S] float32 in [-1,1] on the CPU
  End end = End::stop;
};

/// What happens while replies are made, told on the calling thread. Each function may be empty. `request` counts from
/// 0.
struct Events {
  std::function<void(std::size_t request, std::string_view piece)> text;  ///< whole characters of UTF-8
  /// A picture as it would be if sampling ended here.
  std::function<void(std::size_t request, std::int64_t step, std::int64_t steps, const Tensor& preview)> preview;
  std::function<void(std::size_t request, const Reply&)> finished;
  /// Asked before each word, each sampler step and each decoder step. A request that is cancelled gets what is there.
  std::function<bool(std::size_t request)> cancelled;
};

}  // namespace blip3u
