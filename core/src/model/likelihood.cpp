#include "model/likelihood.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/image.h"
#include "model/gallery.h"
#include "model/messages.h"
#include "model/reader.h"

namespace blip3u {

namespace {

/// The conversation with the reply, of which alone something is expected.
std::vector<Message> with_reply(const Request& request, const std::string& reply) {
  std::vector<Message> messages = request.messages;
  for (Message& message : messages) {
    for (Part& part : message.content) part.weight = 0;
  }
  if (messages.empty() || messages.back().role != Role::assistant) messages.push_back({Role::assistant, {}});
  messages.back().content.push_back(text_part(reply, 1));
  return messages;
}

}  // namespace

std::vector<double> log_likelihood(Pipeline& pipeline, std::span<const Request> requests,
                                   std::span<const std::string> replies) {
  const at::NoGradGuard no_grad;
  Gallery gallery(pipeline);
  std::vector<std::vector<Span>> rows;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto messages = in_templates(pipeline.recipe(), with_reply(requests[i], replies[i]));
    rows.push_back(pipeline.tokenizer().render(messages, /*open_reply=*/false));
    std::vector<Tensor> pictures;
    for (const Tensor& picture : requests[i].images) pictures.push_back(to_bytes(picture));
    const std::int64_t first = gallery.add(pictures);
    for (Span& span : rows.back()) {
      if (span.image >= 0) span.image += first;
    }
  }
  const auto session = pipeline.backbone().begin(std::ssize(rows));
  const Reading reading =
      read_spans(pipeline.backbone(), pipeline.device(), *session, rows, gallery.read(), {}, Purpose::learn_last);
  const Tensor likely = at::log_softmax(reading.logits.to(at::kFloat), -1)
                            .gather(1, reading.expected.unsqueeze(1))
                            .squeeze(1)
                            .to(at::kCPU, at::kDouble)
                            .contiguous();
  std::vector<double> result(requests.size(), 0);
  for (std::size_t i = 0; i < reading.rows.size(); ++i) {
    result[static_cast<std::size_t>(reading.rows[i])] += likely.const_data_ptr<double>()[i];
  }
  return result;
}

}  // namespace blip3u
