#include "model/best_of.h"

#include <algorithm>

#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include "blip3u/error.h"

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

}  // namespace blip3u
