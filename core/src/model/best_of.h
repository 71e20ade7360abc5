// Which of several pictures of one prompt the model itself likes best.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blip3u/model.h"
#include "blip3u/tensor.h"

namespace blip3u {

/// What a picture is judged by.
enum class Judge {
  similarity,  ///< cosine of the embeddings of picture and prompt, where the encoder has a text side
  /// The logarithm of the probability with which the backbone says the prompt, shown the picture alone and asked
  /// nothing; which so suits models that were trained on captions in that shape.
  likelihood,
};

/// `similarity` or `likelihood`; nothing for another name.
BLIP3U_API std::optional<Judge> judge_called(std::string_view name);

/// The judge if the model can judge so, else throws Error(Fault::usage) with the reason. Without one: similarity if the
/// model can, which is one pass of the encoder and learnt from the very pairs of captions and pictures, else
/// likelihood.
BLIP3U_API Judge judge_for(const Model& model, std::optional<Judge> wanted);

/// The score of each picture, more is better; only scores of one prompt under one judge compare.
BLIP3U_API std::vector<double> judged(Model& model, Judge judge, const std::vector<Tensor>& pictures,
                                      const std::string& prompt);

/// The place of the picture with the greatest score; of equal ones, the first.
BLIP3U_API std::size_t best_of(Model& model, Judge judge, const std::vector<Tensor>& pictures,
                               const std::string& prompt);

/// So many pictures of each prompt, of which the judge chooses one.
struct Choosing {
  Judge judge = Judge::similarity;
  std::int64_t of = 1;
};

/// As Model::respond(), but where a request without pictures wants one, the reply is the best of several: the first has
/// the request's seed, the others seeds derived from it. The prompt is the text of its last message. What a request
/// with pictures says does not describe the picture that is wanted, so that nothing is chosen there.
BLIP3U_API std::vector<Reply> best_replies(Model& model, const Choosing& choosing, std::span<const Request> requests);

}  // namespace blip3u
