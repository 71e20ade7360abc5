#include "model/messages.h"

#include <gtest/gtest.h>

namespace blip3u {
namespace {

Recipe recipe() {
  Recipe recipe{};
  recipe.prompt_template = "draw {prompt}!";
  recipe.question_template = "Q: {question}";
  return recipe;
}

std::string texts(const std::vector<Message>& messages) {
  std::string result;
  for (const Message& message : messages) {
    for (const Part& part : message.content) result += (part.type == Part::Type::text ? part.text : "<>") + "|";
  }
  return result;
}

TEST(Templates, FollowWhatTheAssistantDoesNext) {
  const std::vector<Message> dialogue{{Role::user, {text_part("a dog")}},
                                      {Role::assistant, {image_part(0, 1)}},
                                      {Role::user, {text_part("what is it?"), image_part(1)}},
                                      {Role::assistant, {text_part("a dog", 1)}},
                                      {Role::user, {text_part("a cat")}}};
  EXPECT_EQ(texts(in_templates(recipe(), dialogue)), "draw a dog!|<>|Q: what is it?|<>|a dog|Q: a cat|");
  EXPECT_EQ(texts(in_templates(recipe(), dialogue, /*draws=*/true)),
            "draw a dog!|<>|Q: what is it?|<>|a dog|draw a cat!|");
}

TEST(Templates, LeaveEmptyTextsAndOtherRolesAlone) {
  const std::vector<Message> messages{
      {Role::system, {text_part("be kind")}}, {Role::user, {text_part("")}}, {Role::assistant, {image_part(0, 1)}}};
  EXPECT_EQ(texts(in_templates(recipe(), messages)), "be kind||<>|");
}

}  // namespace
}  // namespace blip3u
