// How the backbone reads conversations: one piece of code for training and for use.
#pragma once

#include <vector>

#include <c10/core/Device.h>

#include "blip3u/backbone.h"
#include "blip3u/tokenizer.h"
#include "blip3u/visual.h"

namespace blip3u {

/// The pictures that spans name, as each encoder that the backbone reads with sees them: one Visual an encoder, in the
/// recipe's order, whose row i is picture i.
using SeenPictures = std::vector<Visual>;

/// What a reading found.
struct Reading {
  Tensor state;     ///< [B,C] hidden states of each row's last token so far
  Tensor logits;    ///< [M,vocabulary] of the tokens that have weight, each from the state before it; undefined if none
  Tensor expected;  ///< [M] int64, their ids
  Tensor weights;   ///< [M] float32
  std::vector<std::int64_t> rows = {};  ///< [M], of which row each is
};

/// What a reading is for. Only `learn` and `learn_last` compute logits; the last stretch of a conversation does not
/// read a last word, which is only expected, since nothing follows it.
enum class Purpose { context, learn, learn_last };

/// Appends one stretch of each row to the session, committed; a picture's tokens see each other and all else is causal.
/// Rows may differ in length and in what they hold; an empty row reads nothing. Rows that have words and pictures in
/// the same order are read run by run, each in a block without more padding than its own; others make one block.
/// `before` is the state that the reading before this one left, undefined at the start of a session, where the first
/// token is read and never learned.
BLIP3U_API Reading read_spans(Backbone& backbone, at::Device device, Session& session,
                              const std::vector<std::vector<Span>>& rows, const SeenPictures& pictures,
                              const Tensor& before, Purpose purpose);

/// Cuts a conversation before each picture that is made and learned (weight > 0). n such pictures give n + 1 stretches,
/// of which all but the first begin with a made picture, so that later ones see it.
BLIP3U_API std::vector<std::vector<Span>> cut_at_made_pictures(std::vector<Span> spans);

/// The name of the loss of words.
inline constexpr const char* text_loss_name = "text";

/// The cross-entropy of what a reading was to learn, weighed token by token: the sum, and the sum of the weights. The
/// reading must have logits.
BLIP3U_API Loss text_loss(const Reading& reading);

}  // namespace blip3u
