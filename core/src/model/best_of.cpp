#include "model/best_of.h"

#include <algorithm>
#include <utility>

#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/random.h"
#include "model/messages.h"

namespace blip3u {

std::optional<Judge> judge_called(std::string_view name) {
  if (name == "similarity") return Judge::similarity;
  if (name == "likelihood") return Judge::likelihood;
  return std::nullopt;
}

Judge judge_for(const Model& model, std::optional<Judge> wanted) {
  const std::string unlike = model.missing_for(Model::Ability::classify);
  const std::string mute = model.missing_for(Model::Ability::choose);
  if (wanted.value_or(Judge::similarity) == Judge::similarity && unlike.empty()) return Judge::similarity;
  if (wanted != Judge::similarity && mute.empty()) return Judge::likelihood;
  throw Error(Fault::usage, fmt::format("this model cannot judge pictures: {}; choose another run, or make one picture "
                                        "of each",
                                        wanted == Judge::likelihood ? mute : unlike));
}

std::vector<double> judged(Model& model, Judge judge, const std::vector<Tensor>& pictures, const std::string& prompt) {
  if (judge == Judge::similarity) {
    const Tensor similar = model.classify(at::stack(pictures), {prompt}).to(at::kCPU, at::kDouble).contiguous();
    return {similar.const_data_ptr<double>(), similar.const_data_ptr<double>() + similar.numel()};
  }
  std::vector<Request> requests;
  for (const Tensor& picture : pictures) {
    requests.push_back({.messages = {{Role::user, {image_part(0)}}}, .images = {picture}});
  }
  return model.log_likelihood(requests, std::vector<std::string>(pictures.size(), prompt));
}

std::size_t best_of(Model& model, Judge judge, const std::vector<Tensor>& pictures, const std::string& prompt) {
  const std::vector<double> scores = judged(model, judge, pictures, prompt);
  return static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin());
}

std::vector<Reply> best_replies(Model& model, const Choosing& choosing, std::span<const Request> requests) {
  std::vector<Request> tries;
  std::vector<std::size_t> counts;  // of tries for each request
  for (const Request& request : requests) {
    const bool describes = request.want == Want::image && request.images.empty();
    counts.push_back(describes ? static_cast<std::size_t>(choosing.of) : 1);
    for (std::size_t k = 0; k < counts.back(); ++k) {
      tries.push_back(request);
      if (k > 0) tries.back().seed = derive_seed(request.seed, k);
    }
  }
  std::vector<Reply> replies = model.respond(tries, {});
  std::vector<Reply> best;
  std::span<Reply> left = replies;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::span<Reply> made = left.first(counts[i]);
    left = left.subspan(counts[i]);
    std::vector<Tensor> pictures;
    for (const Reply& reply : made) {
      if (reply.images.size() == 1) pictures.push_back(reply.images.front());
    }
    const bool chooses = made.size() > 1 && pictures.size() == made.size();
    best.push_back(
        std::move(made[chooses ? best_of(model, choosing.judge, pictures, text_of(requests[i].messages.back())) : 0]));
  }
  return best;
}

}  // namespace blip3u
