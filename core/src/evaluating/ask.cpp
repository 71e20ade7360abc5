#include "evaluating/ask.h"

#include <map>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "blip3u/random.h"
#include "model/messages.h"
#include "model/pictures.h"

namespace blip3u {

namespace {

using Ability = Model::Ability;

std::vector<std::uint64_t> seeds_of(const Item& item, std::uint64_t seed) {
  const std::uint64_t of_item = derive_seed(derive_seed(seed, "items"), item.id);
  std::vector<std::uint64_t> seeds;
  for (std::int64_t k = 0; k < item.replies; ++k) seeds.push_back(derive_seed(of_item, static_cast<std::uint64_t>(k)));
  return seeds;
}

/// The items' pictures as float32, one tensor for each however many items share it, so that the model can tell.
class Pictures {
 public:
  std::vector<Tensor> of(const Item& item) {
    std::vector<Tensor> images;
    for (const Tensor& image : item.images) images.push_back(converted(image));
    return images;
  }

 private:
  const Tensor& converted(const Tensor& image) {
    Tensor& known = known_[image.unsafeGetTensorImpl()];
    if (!known.defined()) known = from_bytes(image);
    return known;
  }
  std::map<const void*, Tensor> known_;
};

Request request_of(const Item& item, Want want, std::uint64_t seed, Pictures& pictures) {
  return {.messages = item.messages,
          .images = pictures.of(item),
          .want = want,
          .seed = seed,
          .text = item.text,
          .image = item.image};
}

/// The request that goes on after its reply. Its random numbers are others.
Request followed(Request request, Reply reply, const Message& message) {
  request.messages.push_back(std::move(reply.message));
  request.images.insert(request.images.end(), reply.images.begin(), reply.images.end());
  request.messages.push_back(message);
  request.seed = derive_seed(request.seed, "follow-up");
  return request;
}

Output output_of(const Reply& reply) {
  Output output{.text = text_of(reply.message)};
  for (const Tensor& image : reply.images) output.images.push_back(to_bytes(image));
  return output;
}

/// Results of one call, in the order of the calls, dealt to the items as they asked for them.
template <class Results, class Deal>
std::vector<std::vector<Output>> dealt(const std::vector<Item>& items, const ItemBatch& batch, Results&& results,
                                       const Deal& deal) {
  std::vector<std::vector<Output>> outputs;
  std::size_t next = 0;
  for (const std::size_t place : batch) {
    outputs.emplace_back();
    for (std::int64_t k = 0; k < items[place].replies; ++k) outputs.back().push_back(deal(results.at(next++)));
  }
  return outputs;
}

std::vector<std::vector<Output>> converse(Model& model, Want want, const std::vector<Item>& items,
                                          const ItemBatch& batch, std::uint64_t seed, const Choosing& choosing) {
  Pictures pictures;
  std::vector<Request> requests;
  std::vector<const Item*> asked;  // of each request
  for (const std::size_t place : batch) {
    for (const std::uint64_t each : seeds_of(items[place], seed)) {
      requests.push_back(request_of(items[place], want, each, pictures));
      asked.push_back(&items[place]);
    }
  }
  std::vector<Output> outputs(requests.size());
  std::vector<std::size_t> open(requests.size());  // the places of the requests of this turn
  std::iota(open.begin(), open.end(), 0);
  for (std::size_t turn = 0; !requests.empty(); ++turn) {
    std::vector<Reply> replies = best_replies(model, choosing, requests);
    std::vector<Request> next;
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < open.size(); ++i) {
      Output& first = outputs[open[i]];
      (turn == 0 ? first : first.follow_ups.emplace_back()) = output_of(replies[i]);
      const Item& item = *asked[open[i]];
      if (turn >= item.follow_ups.size()) continue;
      next.push_back(followed(std::move(requests[i]), std::move(replies[i]), item.follow_ups[turn]));
      left.push_back(open[i]);
    }
    requests = std::move(next);
    open = std::move(left);
  }
  return dealt(items, batch, outputs, [](Output& output) { return std::move(output); });
}

std::vector<std::vector<Output>> weigh(Model& model, const std::vector<Item>& items, const ItemBatch& batch) {
  Pictures pictures;
  std::vector<Request> requests;
  std::vector<std::string> replies;
  for (const std::size_t place : batch) {
    for (const std::string& choice : items[place].choices) {
      requests.push_back(request_of(items[place], Want::text, 0, pictures));
      replies.push_back(choice);
    }
  }
  const std::vector<double> likelihoods = model.log_likelihood(requests, replies);
  std::vector<std::vector<Output>> outputs;
  auto next = likelihoods.begin();
  for (const std::size_t place : batch) {
    const auto end = next + std::ssize(items[place].choices);
    outputs.push_back({{.choices = {next, end}}});
    next = end;
  }
  return outputs;
}

/// The first picture of each item, once for each reply: [B,3,S,S].
Tensor first_pictures(const std::vector<Item>& items, const ItemBatch& batch, std::int64_t image_size) {
  std::vector<Tensor> images;
  for (const std::size_t place : batch) {
    images.insert(images.end(), static_cast<std::size_t>(items[place].replies), items[place].images.front());
  }
  return image_size > 0 ? square_pictures(images, image_size, at::kCPU) : from_bytes(at::stack(images));
}

std::vector<std::vector<Output>> classify(Model& model, const std::vector<Item>& items, const ItemBatch& batch,
                                          std::int64_t image_size) {
  const Tensor similarities =
      model.classify(first_pictures(items, batch, image_size), items[batch.front()].choices).to(at::kDouble);
  return dealt(items, batch, similarities.unbind(), [](const Tensor& row) {
    const Tensor plain = row.contiguous();
    const double* const values = plain.const_data_ptr<double>();
    return Output{.choices = {values, values + plain.numel()}};
  });
}

std::vector<std::vector<Output>> reconstruct(Model& model, const std::vector<Item>& items, const ItemBatch& batch,
                                             std::int64_t image_size, std::uint64_t seed) {
  std::vector<std::uint64_t> seeds;
  for (const std::size_t place : batch) {
    for (const std::uint64_t each : seeds_of(items[place], seed)) seeds.push_back(each);
  }
  const Tensor made = model.reconstruct(first_pictures(items, batch, image_size), seeds);
  return dealt(items, batch, made.unbind(), [](const Tensor& image) { return Output{.images = {to_bytes(image)}}; });
}

}  // namespace

std::vector<ItemBatch> batches_of(Ability ability, const std::vector<Item>& items,
                                  const std::vector<std::size_t>& wanted) {
  const bool draws = ability == Ability::generate || ability == Ability::converse;
  const std::int64_t most = draws ? 64 : 256;  // pictures take long, and a stop loses a batch
  std::map<std::vector<std::string>, std::vector<std::size_t>> groups;
  for (const std::size_t place : wanted) {
    groups[ability == Ability::classify ? items[place].choices : std::vector<std::string>()].push_back(place);
  }
  std::vector<ItemBatch> batches;
  for (const auto& [choices, members] : groups) {
    std::int64_t replies = most;
    for (const std::size_t place : members) {
      if (replies + items[place].replies > most) {
        batches.emplace_back();
        replies = 0;
      }
      batches.back().push_back(place);
      replies += items[place].replies;
    }
  }
  return batches;
}

std::vector<std::vector<Output>> ask(Model& model, Ability ability, const std::vector<Item>& items,
                                     const ItemBatch& batch, std::int64_t image_size, std::uint64_t seed,
                                     const Choosing& choosing) {
  switch (ability) {
    case Ability::answer: return converse(model, Want::text, items, batch, seed, choosing);
    case Ability::generate: return converse(model, Want::image, items, batch, seed, choosing);
    case Ability::converse: return converse(model, Want::any, items, batch, seed, choosing);
    case Ability::choose: return weigh(model, items, batch);
    case Ability::classify: return classify(model, items, batch, image_size);
    case Ability::reconstruct: return reconstruct(model, items, batch, image_size, seed);
  }
  throw Error(Fault::plugin, fmt::format("a task needs ability {}, which models do not have; report this to its author",
                                         static_cast<int>(ability)));
}

}  // namespace blip3u
