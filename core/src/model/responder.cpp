#include "model/responder.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/interrupt.h"
#include "model/choose_words.h"
#include "model/contexts.h"
#include "model/gallery.h"
#include "model/messages.h"
#include "model/reader.h"
#include "model/sources.h"
#include "model/turn.h"

namespace blip3u {

namespace {

/// Turns that go on in step: their session, and the state that their last tokens left.
struct Group {
  std::vector<Turn*> turns;
  std::unique_ptr<Session> session;
  Tensor state;  // [B,C]
  bool draws = false;
};

class Responder {
 public:
  Responder(Pipeline& pipeline, std::span<const Request> requests, const Events& events)
      : pipeline_(pipeline),
        events_(events),
        announcement_(pipeline.tokenizer().id_of("image")),
        stops_(pipeline.tokenizer().stops()),
        gallery_(pipeline) {
    for (const Request& request : requests) add(request);
  }

  std::vector<Reply> run() {
    see(images_);
    begin(Want::text);
    begin(Want::any);
    begin(Want::image);
    while (!groups_.empty()) {
      Group group = std::move(groups_.front());
      groups_.pop_front();
      group.draws ? draw(std::move(group)) : write(std::move(group));
    }
    std::vector<Reply> replies;
    for (Turn& turn : turns_) replies.push_back(std::move(turn.reply));
    return replies;
  }

 private:
  void add(const Request& request) {
    const auto refuse = [&](const std::string& problem) {
      return Error(Fault::usage, fmt::format("request {}: {}", turns_.size() + 1, problem));
    };
    if (const std::string problem = problem_of(request.text); !problem.empty()) throw refuse(problem);
    if (request.messages.empty()) throw refuse("it has no messages");
    if (request.want == Want::any && announcement_ < 0) {
      throw refuse("the tokenizer announces no pictures, so the model cannot choose; ask for text or for a picture");
    }
    for (const Message& message : request.messages) {
      for (const Part& part : message.content) {
        if (part.type != Part::Type::image) continue;
        if (part.image >= 0 && part.image < std::ssize(request.images)) continue;
        throw refuse(fmt::format("a part names image {}, but there are {}", part.image, request.images.size()));
      }
    }
    Turn turn{.request = &request, .index = turns_.size(), .words = Generator({derive_seed(request.seed, "words")})};
    for (const Tensor& image : request.images) {
      const auto [known, fresh] = places_.emplace(image.unsafeGetTensorImpl(), std::ssize(images_));
      if (fresh) images_.push_back(image);
      turn.images.push_back(known->second);
    }
    turns_.push_back(std::move(turn));
  }

  /// Takes in pictures as they are stored, so that a reply is the same to what is sent back.
  std::int64_t see(const std::vector<Tensor>& images) {
    std::vector<Tensor> pictures;
    pictures.reserve(images.size());
    for (const Tensor& image : images) pictures.push_back(to_bytes(image));
    return gallery_.add(pictures);
  }

  std::vector<Span> spans_of(const Turn& turn, const std::vector<Message>& messages, bool open_reply) const {
    std::vector<Span> spans = pipeline_.tokenizer().render(in_templates(pipeline_.recipe(), messages), open_reply);
    for (Span& span : spans) {
      if (span.image >= 0) span.image = place_of(turn, span.image);
    }
    return spans;
  }

  /// Where a picture that a turn names lies among all that were seen.
  std::int64_t place_of(const Turn& turn, std::int64_t image) const {
    const auto brought = std::ssize(turn.request->images);
    if (image < brought) return turn.images[static_cast<std::size_t>(image)];
    const auto made = made_places_.find({turn.index, image - brought});
    return made == made_places_.end() ? image : made->second;  // that which is about to be made is not read
  }

  void begin(Want want) {
    Group group;
    std::vector<std::vector<Span>> rows;
    for (Turn& turn : turns_) {
      if (turn.request->want != want) continue;
      group.turns.push_back(&turn);
      rows.push_back(want == Want::image ? before_picture(turn, turn.before_picture())
                                         : spans_of(turn, turn.request->messages, /*open_reply=*/true));
    }
    if (rows.empty()) return;
    group.draws = want == Want::image;
    if (!group.draws || contexts_of(pipeline_.links()).size() == 1) {  // else `draw` reads all contexts at once
      group.session = pipeline_.backbone().begin(std::ssize(rows));
      group.state = read(*group.session, rows, {});
    }
    groups_.push_back(std::move(group));
  }

  std::vector<Span> before_picture(const Turn& turn, const std::vector<Message>& messages) const {
    return cut_at_made_pictures(spans_of(turn, messages, /*open_reply=*/true)).front();
  }

  Tensor read(Session& session, const std::vector<std::vector<Span>>& rows, const Tensor& before) {
    return read_spans(pipeline_.backbone(), pipeline_.device(), session, rows, gallery_.read(), before,
                      Purpose::context)
        .state;
  }

  bool cancelled(const Turn& turn) const { return events_.cancelled && events_.cancelled(turn.index); }

  // ---- words ----------------------------------------------------------------------------------------------------

  void write(Group group) {
    while (!group.turns.empty()) {
      stop_if_interrupted();
      const Tensor logits = possible(group, pipeline_.backbone().logits(group.state.unsqueeze(1)).select(1, 0));
      const Tensor likeliest = logits.argmax(1).to(at::kCPU);
      std::vector<std::int64_t> next, going, drawing;
      for (std::size_t i = 0; i < group.turns.size(); ++i) {
        Turn& turn = *group.turns[i];
        const auto row = static_cast<std::int64_t>(i);
        const std::int64_t id = next_word(turn, logits[row], likeliest.const_data_ptr<std::int64_t>()[row]);
        if (turn.done) continue;
        (id == announcement_ ? drawing : going).push_back(row);
        next.push_back(id);
      }
      if (!drawing.empty()) {
        Group draws = part_of(group, drawing);
        draws.state = append(draws, std::vector<std::int64_t>(drawing.size(), announcement_));
        draws.draws = true;
        groups_.push_back(std::move(draws));
      }
      std::erase(next, announcement_);
      if (going.size() < group.turns.size()) group = part_of(group, going);
      if (!going.empty()) group.state = append(group, next);
    }
  }

  bool may_draw(const Turn& turn) const {
    return turn.request->want == Want::any && std::ssize(turn.reply.images) < turn.request->image.most;
  }

  /// The logits [B,vocabulary] without the announcement of a picture where none may come.
  Tensor possible(const Group& group, const Tensor& logits) const {
    std::vector<std::int64_t> without;
    for (std::size_t i = 0; announcement_ >= 0 && i < group.turns.size(); ++i) {
      if (!may_draw(*group.turns[i])) without.push_back(static_cast<std::int64_t>(i));
    }
    if (without.empty()) return logits;
    Tensor result = logits.clone();
    result.select(1, announcement_)
        .index_fill_(0, at::tensor(without, at::kLong).to(logits.device()), -std::numeric_limits<float>::infinity());
    return result;
  }

  Tensor append(Group& group, const std::vector<std::int64_t>& ids) {
    const Tensor tokens = at::tensor(ids, at::kLong).to(pipeline_.device()).unsqueeze(1);
    return group.session->append({.embeds = pipeline_.backbone().embed(tokens)}).select(1, 0);
  }

  static Group part_of(const Group& group, const std::vector<std::int64_t>& rows) {
    Group part;
    if (rows.empty()) return part;
    const Tensor index = at::tensor(rows, at::kLong);
    for (const std::int64_t row : rows) part.turns.push_back(group.turns[static_cast<std::size_t>(row)]);
    part.session = group.session->rows(index);
    part.state = group.state.index_select(0, index.to(group.state.device()));
    return part;
  }

  /// Chooses the next word and takes it into the reply; ends the turn where that is the end.
  std::int64_t next_word(Turn& turn, const Tensor& logits, std::int64_t likeliest) {
    if (cancelled(turn)) return finish(turn, Reply::End::cancelled);
    const TextSampling& sampling = turn.request->text;
    if (turn.tokens >= sampling.longest) return finish(turn, Reply::End::limit);
    std::int64_t id = likeliest;
    if (sampling.temperature > 0) {
      id = choose_word(logits, sampling, turn.words.uniform({1}, at::kCPU).item<double>());
    }
    ++turn.tokens;
    if (std::ranges::find(stops_, id) != stops_.end()) return finish(turn, Reply::End::stop);
    if (id == announcement_) {
      close_text(turn);
      return id;
    }
    turn.ids.push_back(id);
    turn.text = pipeline_.tokenizer().decode(turn.ids);
    for (const std::string& stop : turn.request->text.stops) {
      const auto found = turn.text.find(stop);
      if (found == std::string::npos) continue;
      turn.text.resize(found);
      return finish(turn, Reply::End::stop);
    }
    tell(turn, whole_characters(turn.text));
    return id;
  }

  void tell(Turn& turn, std::size_t until) {
    if (until <= turn.told) return;
    if (events_.text) events_.text(turn.index, std::string_view(turn.text).substr(turn.told, until - turn.told));
    turn.told = until;
  }

  void close_text(Turn& turn) {
    tell(turn, turn.text.size());
    if (!turn.text.empty()) turn.reply.message.content.push_back(text_part(turn.text));
    turn.ids.clear();
    turn.text.clear();
    turn.told = 0;
  }

  std::int64_t finish(Turn& turn, Reply::End end) {
    close_text(turn);
    turn.reply.end = end;
    turn.done = true;
    if (events_.finished) events_.finished(turn.index, turn.reply);
    return -1;
  }

  // ---- pictures -------------------------------------------------------------------------------------------------

  void draw(Group group) {
    std::vector<std::vector<std::vector<Span>>> rows;  // of each context
    const std::vector<Context> contexts = contexts_of(pipeline_.links());
    for (const Context context : contexts) {
      rows.emplace_back();
      for (const Turn* turn : group.turns) {
        rows.back().push_back(
            before_picture(*turn, in_context(turn->before_picture(), context, turn->request->image.negative)));
      }
    }
    std::vector<std::vector<Span>> together;
    for (auto& each : rows) together.insert(together.end(), each.begin(), each.end());
    std::unique_ptr<Session> all;  // contexts one after another, if there are several
    if (contexts.size() > 1) {
      all = pipeline_.backbone().begin(std::ssize(together));
      read(*all, together, {});
    }
    const std::vector<std::vector<Visual>> sources = sources_of(together);
    std::vector<std::uint64_t> seeds;
    for (const Turn* turn : group.turns) {
      const auto number = static_cast<std::uint64_t>(turn->reply.images.size());
      seeds.push_back(number == 0 ? turn->request->seed : derive_seed(turn->request->seed, number));
    }
    Tensor images;
    std::vector<Visual> made;  // by each link
    try {
      const Watch watch = [&](const Step& step) { return watch_step(group, step); };
      made = paint(pipeline_.links(), all ? *all : *group.session, sources, seeds, watch);
      images = pipeline_.decode(made.back(), seeds, watch);
    } catch (const Cancelled&) {
      stop_if_interrupted();
      for (Turn* turn : group.turns) finish(*turn, Reply::End::cancelled);
      return;
    }
    for (std::size_t i = 0; i < group.turns.size(); ++i) {
      Turn& turn = *group.turns[i];
      turn.reply.message.content.push_back(
          image_part(std::ssize(turn.request->images) + std::ssize(turn.reply.images)));
      turn.reply.images.push_back(images[static_cast<std::int64_t>(i)]);
    }
    go_on(std::move(group), made);
  }

  /// The pictures that each row reads, as the denoiser of each link sees them.
  std::vector<std::vector<Visual>> sources_of(const std::vector<std::vector<Span>>& rows) {
    std::vector<std::vector<std::int64_t>> pictures(rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (const Span& span : rows[row]) {
        if (span.image >= 0) pictures[row].push_back(span.image);
      }
    }
    std::vector<std::vector<Visual>> sources;
    for (std::size_t link = 0; link < pipeline_.links().size(); ++link) {
      sources.push_back(gallery_.sources(link, pictures));
    }
    return sources;
  }

  bool watch_step(const Group& group, const Step& step) {
    if (interrupted()) return false;
    if (std::ranges::all_of(group.turns, [&](const Turn* turn) { return cancelled(*turn); })) return false;
    if (!events_.preview || step.guess == nullptr) return true;
    const auto due = [&](const Turn* turn) {
      const std::int64_t every = turn->request->image.preview;
      return every > 0 && step.done % every == 0 && step.done < step.total;
    };
    if (std::ranges::none_of(group.turns, due)) return true;
    const std::vector<std::uint64_t> seeds(group.turns.size(), 0);
    const Tensor images = pipeline_.decode(pipeline_.links().back().unscaled(*step.guess), seeds, {});
    for (std::size_t i = 0; i < group.turns.size(); ++i) {
      if (!due(group.turns[i])) continue;
      events_.preview(group.turns[i]->index, step.done, step.total, images[static_cast<std::int64_t>(i)]);
    }
    return true;
  }

  /// Lets turns whose reply goes on read what they made, and ends the others.
  void go_on(Group group, const std::vector<Visual>& made) {
    std::vector<std::int64_t> going;
    for (std::size_t i = 0; i < group.turns.size(); ++i) {
      Turn& turn = *group.turns[i];
      if (cancelled(turn)) {
        finish(turn, Reply::End::cancelled);
      } else if (turn.request->want == Want::image) {
        finish(turn, Reply::End::stop);
      } else {
        going.push_back(static_cast<std::int64_t>(i));
      }
    }
    if (going.empty()) return;
    if (going.size() < group.turns.size()) group = part_of(group, going);
    std::vector<Tensor> images;
    for (const Turn* turn : group.turns) images.push_back(turn->reply.images.back());
    const std::int64_t first = see(images);
    std::vector<std::vector<Span>> rows;
    for (const Turn* turn : group.turns) {
      const std::int64_t place = first + std::ssize(rows);
      made_places_[{turn->index, std::ssize(turn->reply.images) - 1}] = place;
      rows.push_back({{{}, place, 0}});
    }
    bool kept = false;
    for (std::size_t link = 0; link < made.size(); ++link) {
      auto* const keeps = dynamic_cast<Keeps*>(pipeline_.links()[link].denoiser);
      if (keeps == nullptr) continue;
      group.state = keeps->keep(*group.session, select_pictures(made[link], going)).select(1, -1);
      kept = true;
    }
    if (!kept) group.state = read(*group.session, rows, group.state);
    group.draws = false;
    groups_.push_back(std::move(group));
  }

  Pipeline& pipeline_;
  const Events& events_;
  const std::int64_t announcement_;
  const std::vector<std::int64_t> stops_;
  std::deque<Turn> turns_;
  std::deque<Group> groups_;
  std::vector<Tensor> images_;                  // that the requests bring, each once however many ask about it
  std::map<const void*, std::int64_t> places_;  // of the pictures in images_, by tensor
  Gallery gallery_;
  std::map<std::pair<std::size_t, std::int64_t>, std::int64_t> made_places_;  // of picture n of a reply, once seen
};

}  // namespace

std::vector<Reply> respond(Pipeline& pipeline, std::span<const Request> requests, const Events& events) {
  const at::NoGradGuard no_grad;
  return Responder(pipeline, requests, events).run();
}

}  // namespace blip3u
