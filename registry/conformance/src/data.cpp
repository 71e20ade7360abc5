// Data sets and tokenizers.
#include <algorithm>
#include <set>

#include <ATen/ATen.h>

#include "blip3u/dataset.h"
#include "blip3u/tokenizer.h"
#include "kinds.h"

namespace blip3u::conformance {

namespace {

constexpr Split splits[] = {Split::train, Split::test};

/// At most so many places of a split, the first and the last among them.
std::vector<std::int64_t> some_places(std::int64_t size, std::int64_t most) {
  std::vector<std::int64_t> places;
  const std::int64_t count = std::min(size, most);
  for (std::int64_t i = 0; i < count; ++i) places.push_back(count == 1 ? 0 : i * (size - 1) / (count - 1));
  return places;
}

void check_image(const Tensor& image, const Subject& subject) {
  const std::int64_t size = subject.wiring().image_size;
  if (!image.defined() || image.sizes() != at::IntArrayRef({3, size, size})) {
    fail("an image is not [3,S,S] with S = {}, the size that `check` wrote to Wiring::image_size", size);
  }
  if (image.scalar_type() != at::kFloat || !image.device().is_cpu()) fail("an image is not float32 on the CPU");
  if (!image.isfinite().all().item<bool>()) fail("an image has NaN or infinity");
  if (const double largest = image.abs().max().item<double>(); largest > 1) {
    fail("an image has values up to {:.4g}; images lie in [-1,1]", largest);
  }
}

bool equal(const Example& a, const Example& b) {
  const auto same = [](const Question& x, const Question& y) { return x.text == y.text && x.answer == y.answer; };
  return a.id == b.id && a.caption == b.caption &&
         std::equal(a.questions.begin(), a.questions.end(), b.questions.begin(), b.questions.end(), same);
}

bool equal(const std::vector<Prompt>& a, const std::vector<Prompt>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Prompt& x, const Prompt& y) { return x.text == y.text && x.held_out == y.held_out; });
}

void images_declared(const Subject& subject) {
  const auto dataset = subject.make<Dataset>();
  for (const Split split : splits) {
    for (const std::int64_t place : some_places(dataset->size(split), 4)) {
      check_image(dataset->image(split, place), subject);
    }
  }
}

void repeatable(const Subject& subject) {
  const auto first = subject.make<Dataset>(), second = subject.make<Dataset>({.seed = 8});
  const auto require = [](bool same, const char* what) {
    if (same) return;
    fail("{} of two data sets with equal parameters, or of two calls, differ; let them depend on nothing else", what);
  };
  require(first->fingerprint() == second->fingerprint(), "fingerprints");
  require(first->classes() == second->classes(), "classes");
  require(equal(first->prompts(), second->prompts()), "prompts");
  if (first->fingerprint().empty())
    fail("its fingerprint is empty; hash the data and all that decides what it returns");
  for (const Split split : splits) {
    const std::int64_t size = first->size(split);
    if (size < 0) fail("a split has the size {}", size);
    require(first->size(split) == size && second->size(split) == size, "sizes");
    std::set<std::string> ids;
    for (std::int64_t i = 0; i < size; ++i) {
      const Example& example = first->example(split, i);
      if (!ids.insert(example.id).second) fail("the id `{}` stands twice in one split; make ids unique", example.id);
      if (!is_text(example)) fail("a text of the example `{}` is not UTF-8; convert it", example.id);
    }
    const auto places = some_places(size, 16);
    std::vector<Tensor> images;
    for (const std::int64_t place : places) {
      images.push_back(first->image(split, place).clone());
      check_image(images.back(), subject);
    }
    for (std::size_t i = places.size(); i-- > 0;) {  // in another order
      require(first->image(split, places[i]).equal(images[i]), "images");
      require(second->image(split, places[i]).equal(images[i]), "images");
      const Example again = first->example(split, places[i]);
      require(equal(again, first->example(split, places[i])), "examples");
      require(equal(again, second->example(split, places[i])), "examples");
      if (split == Split::test) continue;
      require(first->trains_generation(places[i]) == second->trains_generation(places[i]), "trains_generation");
    }
  }
}

void held_out(const Subject& subject) {
  const auto dataset = subject.make<Dataset>();
  std::set<std::string> kept_out;
  for (const Prompt& prompt : dataset->prompts()) {
    if (prompt.held_out) kept_out.insert(prompt.text);
  }
  for (std::int64_t i = 0; i < dataset->size(Split::train); ++i) {
    if (!dataset->trains_generation(i)) continue;
    const Example& example = dataset->example(Split::train, i);
    if (example.caption.empty()) fail("generation trains on the example `{}`, which has no caption", example.id);
    if (!kept_out.contains(example.caption)) continue;
    fail(
        "generation trains on the example `{}`, but its caption \"{}\" is a held-out prompt; let trains_generation "
        "be false for it",
        example.id, example.caption);
  }
}

const std::vector<std::string>& corpus() {
  static const std::vector<std::string> texts = {
      "a red circle", "a blue triangle on white ground",   "is there a rectangle?", "What color is the shape?",
      "yes",          "The big, green circle isn't black."};
  return texts;
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
  first->fit(corpus());
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
  alone->fit(corpus());
  const auto expected = alone->serialize();
  const auto first = subject.make<Tokenizer>(), second = subject.make<Tokenizer>();
  first->fit(corpus());
  second->fit(other);
  if (first->serialize() == expected && first->encode(corpus()[0]) == alone->encode(corpus()[0])) return;
  fail("fitting one instance changes another; keep state in the object, not in static variables");
}

void tokenizer_errors(const Subject& subject) {
  const auto tokenizer = subject.make<Tokenizer>();
  tokenizer->fit(corpus());
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

void check_dataset(Recorder& recorder, const Subject& subject) {
  recorder.run("declared_output", [&] { images_declared(subject); });
  recorder.run("repeatable", [&] { repeatable(subject); });
  recorder.run("held_out", [&] { held_out(subject); });
}

void check_tokenizer(Recorder& recorder, const Subject& subject) {
  recorder.run("round_trip", [&] { round_trip(subject); });
  recorder.run("independent_instances", [&] { independent_tokenizers(subject); });
}

}  // namespace blip3u::conformance
