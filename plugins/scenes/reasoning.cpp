// Prompts that say what is to be drawn in a roundabout way, as GIR-Bench's do (numbers, facts, chains of them). Under
// the system message "think", the assistant works it out in words before it draws.
#include "scenes/draft.h"

namespace blip3u::scenes {

namespace {

/// One roundabout way to say an attribute, and the sentence that resolves it.
struct Fact {
  std::string said, resolved;
};

Fact number_by_arithmetic(Draft& draft, std::int64_t number) {
  const auto other = 1 + static_cast<std::int64_t>(pick(draft.engine, 2));
  const std::string result = number_word(number);
  const std::size_t way = number - other >= 0 ? pick(draft.engine, 4) : pick(draft.engine, 2);
  const std::int64_t start = way < 2 ? number + other : number - other;
  const std::string a = number_word(start), b = number_word(other);
  if (way == 0) return {fmt::format("{} minus {}", a, b), fmt::format("{} minus {} is {}", a, b, result)};
  if (way == 1) return {fmt::format("{} less than {}", b, a), fmt::format("{} minus {} is {}", a, b, result)};
  if (way == 2) return {fmt::format("{} plus {}", a, b), fmt::format("{} plus {} is {}", a, b, result)};
  return {fmt::format("{} more than {}", b, a), fmt::format("{} plus {} is {}", a, b, result)};
}

Fact number_by_order(Draft& draft, std::int64_t number) {
  if (draft.chance(0.5)) {
    const std::string said = fmt::format("the number after {}", number_word(number - 1));
    return {said, fmt::format("{} is {}", said, number_word(number))};
  }
  const std::string said = fmt::format("the number before {}", number_word(number + 1));
  return {said, fmt::format("{} is {}", said, number_word(number))};
}

Fact size_by_opposite(std::size_t size) {
  const std::string said = fmt::format("the opposite of {}", sizes[1 - size]);
  return {said, fmt::format("{} is {}", said, sizes[size])};
}

Fact colour_by_knowledge(Draft& draft, std::size_t colour) {
  const std::string said = colour_known_by(colour, draft.engine);
  return {said, fmt::format("{} is {}", said, colours[colour])};
}

Fact shape_by_knowledge(Draft& draft, std::size_t shape) {
  const std::string said = shape_known_by(shape, draft.engine);
  return {said, fmt::format("{} is {}", said, with_article(shapes[shape]))};
}

/// Which attributes are said in a roundabout way.
struct Riddle {
  bool shape = false, colour = false, size = false, arithmetic = false, order = false;
  bool numbers() const { return arithmetic || order; }
};

Riddle riddle_of(Draft& draft, const std::string& type) {
  if (type == "arithmetic") return {.arithmetic = true};
  if (type == "ordering") return {.order = true};
  if (type == "opposite") return {.size = true};
  if (type == "knowledge") {
    const std::size_t which = pick(draft.engine, 2);
    return {.shape = which == 0, .colour = which == 1};
  }
  Riddle riddle;  // a chain of two or three
  const std::size_t left_out = pick(draft.engine, 5);
  riddle.shape = left_out != 0;
  riddle.colour = left_out != 1;
  const std::size_t third = pick(draft.engine, 3);
  const bool three = left_out > 2;
  if (!(riddle.shape && riddle.colour) || three) {
    riddle.arithmetic = third == 0;
    riddle.order = third == 1;
    riddle.size = third == 2;
  }
  return riddle;
}

}  // namespace

void make_reasoning(Draft& draft, const std::string& type) {
  const Riddle riddle = riddle_of(draft, type);
  Phrase phrase = any_phrase(draft, 1, riddle.colour || draft.chance(0.6) ? 1 : 0, 0);
  if (riddle.numbers()) phrase.count = 1 + static_cast<std::int64_t>(pick(draft.engine, 3));
  if (riddle.size) phrase.size = pick(draft.engine, sizes.size());

  // "stars in the colour of grass, as many as two plus one"
  std::vector<std::string> thoughts;
  const auto said = [&](const Fact& fact) {
    thoughts.push_back(fact.resolved);
    return fact.said;
  };
  Phrase plain = phrase;
  plain.size.reset();
  if (riddle.colour) plain.colour.reset();
  std::string prompt = riddle.shape       ? said(shape_by_knowledge(draft, phrase.shape))
                       : riddle.numbers() ? say_things(plain, &draft.engine)
                                          : with_article(say_name(plain, &draft.engine));
  if (riddle.shape && plain.colour) prompt += fmt::format(" in {}", colours[*plain.colour]);
  if (riddle.colour) prompt += fmt::format(" in {}", said(colour_by_knowledge(draft, *phrase.colour)));
  if (riddle.size) prompt += fmt::format(" its size {}", said(size_by_opposite(*phrase.size)));
  if (riddle.arithmetic) prompt += fmt::format(" as many as {}", said(number_by_arithmetic(draft, phrase.count)));
  if (riddle.order) prompt += fmt::format(" as many as {}", said(number_by_order(draft, phrase.count)));

  const Description wanted{.phrases = {phrase}};
  const Scene scene = realise(wanted, draft.engine, draft.held_out.pairs);
  const bool thinks = draft.chance(0.5);
  draft.label("reasoning", thinks ? "on" : "off");
  draft.label("wanted", to_text(wanted));
  draft.label("scene", to_text(scene));
  if (thinks) draft.sample.messages.push_back({Role::system, {text_part("think")}});
  draft.ask(draft.request("reasoning", {{"d", prompt}}));
  if (thinks) {
    std::string text;
    for (const std::string& thought : thoughts) text += thought + " and ";
    text.replace(text.size() - 5, 5, " so ");
    draft.answer(text + say(wanted, nullptr));
  }
  draft.draw(scene);
}

}  // namespace blip3u::scenes
