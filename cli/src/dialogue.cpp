#include "dialogue.h"

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "model/unknown_words.h"
#include "words.h"

namespace blip3u {

Dialogue::Dialogue(const OpenedRun& run, Origin origin)
    : run_(run),
      origin_(std::move(origin)),
      no_text_(run.model->missing_for(Model::Ability::answer)),
      no_image_(run.model->missing_for(Model::Ability::generate)) {
  if (!no_text_.empty() && !no_image_.empty()) {
    throw Error(Fault::usage, fmt::format("this model can neither write ({}) nor draw ({}); choose another run",
                                          no_text_, no_image_));
  }
}

void Dialogue::add_picture(const std::filesystem::path& file) {
  if (run_.recipe.pipeline.understanding.empty()) {
    throw Error(Fault::usage, "this model reads no pictures; describe it in words");
  }
  check_utf8(file.string(), "the name of the picture");  // pictures that follow from it tell it
  waiting_.emplace_back(file.string(), read_image(file));
}

Want Dialogue::want(As as) const {
  if (as != As::free) return as == As::text ? Want::text : Want::image;
  if (!no_text_.empty()) return Want::image;
  return no_image_.empty() && run_.tokenizer->id_of("image") >= 0 ? Want::any : Want::text;
}

void Dialogue::check(const std::string& text, As as) const {
  const std::string& missing = as == As::text ? no_text_ : as == As::image ? no_image_ : std::string();
  if (!missing.empty()) throw Error(Fault::usage, fmt::format("this model cannot do that: {}", missing));
  check_utf8(text, "the message");
  if (text.empty() && !waiting_.empty() && as == As::text) return;  // what is this picture?
  const WordCheck words = check_words(*run_.tokenizer, text);
  if (!words.unknown.empty()) {
    throw Error(Fault::usage, fmt::format("the model has never seen {}; say it in other words", listed(words.unknown)));
  }
  if (words.all) throw Error(Fault::usage, "the message has no words; give some");
}

Reply Dialogue::say(const std::string& text, As as, const std::string& line, const Events& events) {
  check(text, as);
  Request request = said_;
  request.want = want(as);
  request.seed = seed;
  Origin origin = origin_;
  Message message{Role::user, {}};
  for (const auto& [file, picture] : waiting_) {
    message.content.push_back(image_part(std::ssize(request.images)));
    request.images.push_back(picture);
    origin.dialogue.push_back("/image " + file);
  }
  if (!text.empty()) message.content.push_back(text_part(text));
  request.messages.push_back(std::move(message));
  Reply reply = run_.model->respond({&request, 1}, events).front();
  if (reply.end == Reply::End::cancelled) return reply;

  marks_.push_back({said_.messages.size(), said_.images.size(), made_.size(), origin_.dialogue.size()});
  if (!reply.images.empty()) {
    origin.seed = seed;
    origin.dialogue.push_back(fmt::format("/seed {}", seed));
    ++seed;
  }
  origin.dialogue.push_back(line);
  origin_ = std::move(origin);
  said_ = std::move(request);
  said_.messages.push_back(reply.message);
  for (const Tensor& image : reply.images) {
    said_.images.push_back(image);
    made_.push_back({image, origin_});
  }
  waiting_.clear();
  return reply;
}

bool Dialogue::undo() {
  if (!waiting_.empty()) {
    waiting_.pop_back();
    return true;
  }
  if (marks_.empty()) return false;
  const Mark mark = marks_.back();
  marks_.pop_back();
  said_.messages.resize(mark.messages);
  said_.images.resize(mark.images);
  origin_.dialogue.resize(mark.lines);
  made_.resize(mark.made);
  return true;
}

}  // namespace blip3u
