// Tokenizers.
#include <algorithm>
#include <functional>

#include "blip3u/tokenizer.h"
#include "kinds.h"

namespace blip3u::conformance {

namespace {

const std::vector<std::string>& corpus() {
  static const std::vector<std::string> texts = {
      "a red circle", "a blue triangle on white ground",   "is there a rectangle?", "What color is the shape?",
      "yes",          "The big, green circle isn't black."};
  return texts;
}

/// A tokenizer that brings its vocabulary has nothing to learn.
void fit(Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  if (auto* const learner = dynamic_cast<LearnsVocabulary*>(&tokenizer)) learner->fit(texts);
}

void check_ids(const Tokenizer& tokenizer, const std::string& text, const std::vector<std::int64_t>& ids) {
  const auto frame = tokenizer.frame();
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= tokenizer.vocabulary()) {
      fail("\"{}\" is encoded with the id {}, outside the vocabulary of {}", text, id, tokenizer.vocabulary());
    }
    if (id == frame.begin || id == frame.end) {
      fail("the encoded \"{}\" holds {}, an id of frame(); the frame is added by the caller", text, id);
    }
  }
}

void round_trip(const Subject& subject) {
  const auto first = subject.make<Tokenizer>(), second = subject.make<Tokenizer>();
  fit(*first, corpus());
  second->restore(first->serialize());
  if (first->vocabulary() != second->vocabulary()) fail("`restore` gives another size of vocabulary");
  if (first->vocabulary() <= std::max(first->frame().begin, first->frame().end)) {
    fail("the vocabulary of {} does not hold the ids of frame()", first->vocabulary());
  }
  std::vector<std::string> texts = corpus();
  texts.insert(texts.end(), {"", "zyxwv qqq", "a red zyxwv", "caf\xc3\xa9"});
  for (const std::string& text : texts) {
    const auto ids = first->encode(text);
    check_ids(*first, text, ids);
    if (first->encode(text) != ids) fail("\"{}\" is encoded in two ways", text);
    if (second->encode(text) != ids) fail("after `restore`, \"{}\" is encoded in another way", text);
    if (second->decode(ids) != first->decode(ids)) fail("after `restore`, \"{}\" is decoded in another way", text);
  }
  for (const std::string& text : corpus()) {
    const auto ids = first->encode(text);
    if (ids.empty()) fail("\"{}\", a training text, is encoded as nothing", text);
    if (first->encode(first->decode(ids)) != ids) {
      fail("\"{}\" decoded is \"{}\", which is encoded in another way", text, first->decode(ids));
    }
  }
  if (first->encode(corpus()[0]) == first->encode(corpus()[1])) fail("two training texts are encoded alike");
}

void independent_tokenizers(const Subject& subject) {
  const std::vector<std::string> other = {"one two three", "three four five six seven"};
  const auto alone = subject.make<Tokenizer>();
  fit(*alone, corpus());
  const auto expected = alone->serialize();
  const auto first = subject.make<Tokenizer>(), second = subject.make<Tokenizer>();
  fit(*first, corpus());
  fit(*second, other);
  if (first->serialize() == expected && first->encode(corpus()[0]) == alone->encode(corpus()[0])) return;
  fail("fitting one instance changes another; keep state in the object, not in static variables");
}

void tokenizer_errors(const Subject& subject) {
  const auto tokenizer = subject.make<Tokenizer>();
  fit(*tokenizer, corpus());
  const auto attempt = [](const char* what, const std::function<void()>& work) {
    const std::string problem = raised_by_bad_input(work).any();
    if (!problem.empty()) fail("for {} it threw {}; throw blip3u::Error", what, problem);
  };
  attempt("an id outside the vocabulary", [&] { tokenizer->decode({-1, tokenizer->vocabulary()}); });
  const auto damaged = subject.make<Tokenizer>();
  const std::string whole = tokenizer->serialize();
  for (const std::string& text : {std::string("no vocabulary"), whole.substr(0, whole.size() / 2)}) {
    bool accepted = false;
    attempt("a damaged vocabulary", [&] {
      damaged->restore(text);
      accepted = true;
    });
    if (accepted && text != whole) fail("`restore` accepts \"{}\"; throw blip3u::Error for a damaged vocabulary", text);
  }
}

}  // namespace

Behaviour tokenizer_behaviour(const Subject& subject) {
  Behaviour behaviour;
  behaviour.errors = [&subject] { tokenizer_errors(subject); };
  return behaviour;
}

void check_tokenizer(Recorder& recorder, const Subject& subject) {
  recorder.run("round_trip", [&] { round_trip(subject); });
  recorder.run("independent_instances", [&] { independent_tokenizers(subject); });
}

}  // namespace blip3u::conformance
