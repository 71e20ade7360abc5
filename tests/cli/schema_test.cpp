// `schema`: held against real recipes by a checker of the part of JSON Schema that it uses, which is small and knows no
// other keyword.
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

#include "cli/support.h"
#include "recipe/recipe.h"
#include "registry/registry.h"

namespace blip3u::testing {
namespace {

using nlohmann::json;

bool has_type(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "null") return value.is_null();
  ADD_FAILURE() << "unknown type " << type;
  return false;
}

/// Whether a value is valid under a schema of the document `root` (draft 2020-12).
class Checker {
 public:
  explicit Checker(json root) : root_(std::move(root)) {}

  bool accepts(const json& value) const { return fits(root_, value); }
  const json& root() const { return root_; }

 private:
  bool fits(const json& schema, const json& value) const {
    if (schema.is_boolean()) return schema.get<bool>();
    for (const auto& [keyword, argument] : schema.items()) {
      if (!satisfies(schema, keyword, argument, value)) return false;
    }
    return true;
  }

  bool satisfies(const json& schema, const std::string& keyword, const json& argument, const json& value) const {
    static const std::set<std::string> silent = {"$schema", "$defs", "title", "description", "default", "then", "else"};
    if (silent.contains(keyword)) return true;
    if (keyword == "$ref") return fits(root_.at(json::json_pointer(argument.get<std::string>().substr(1))), value);
    if (keyword == "type") {
      const json types = argument.is_array() ? argument : json::array({argument});
      return any(types, [&](const json& type) { return has_type(value, type.get<std::string>()); });
    }
    if (keyword == "enum") return any(argument, [&](const json& choice) { return choice == value; });
    if (keyword == "pattern") {
      return !value.is_string() || std::regex_search(value.get<std::string>(), std::regex(argument.get<std::string>()));
    }
    if (keyword == "minimum") return !value.is_number() || value >= argument;
    if (keyword == "maximum") return !value.is_number() || value <= argument;
    if (keyword == "anyOf") return any(argument, [&](const json& each) { return fits(each, value); });
    if (keyword == "allOf") return !any(argument, [&](const json& each) { return !fits(each, value); });
    if (keyword == "not") return !fits(argument, value);
    if (keyword == "if") {
      const char* const branch = fits(argument, value) ? "then" : "else";
      return !schema.contains(branch) || fits(schema.at(branch), value);
    }
    if (keyword == "required") {
      return !value.is_object() ||
             !any(argument, [&](const json& key) { return !value.contains(key.get<std::string>()); });
    }
    if (keyword == "items") {
      return !value.is_array() || !any(value, [&](const json& item) { return !fits(argument, item); });
    }
    if (keyword == "properties") {
      if (!value.is_object()) return true;
      for (const auto& [key, property] : argument.items()) {
        if (value.contains(key) && !fits(property, value.at(key))) return false;
      }
      return true;
    }
    if (keyword == "additionalProperties") {
      EXPECT_EQ(argument, false);
      if (!value.is_object()) return true;
      for (const auto& [key, unused] : value.items()) {
        if (!schema.at("properties").contains(key)) return false;
      }
      return true;
    }
    ADD_FAILURE() << "unknown keyword " << keyword;
    return false;
  }

  template <class Condition>
  static bool any(const json& values, const Condition& condition) {
    for (const json& value : values) {
      if (condition(value)) return true;
    }
    return false;
  }

  json root_;
};

/// A recipe as an editor sees it.
json to_json(const YAML::Node& node) {
  json result;
  if (node.IsMap()) {
    result = json::object();
    for (const auto& entry : node) result[entry.first.as<std::string>()] = to_json(entry.second);
  } else if (node.IsSequence()) {
    result = json::array();
    for (const auto& item : node) result.push_back(to_json(item));
  } else if (node.IsScalar()) {
    const std::string& text = node.Scalar();
    result = node.Tag() == "!" ? json() : json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!result.is_boolean() && !result.is_number()) result = text;  // quoted, or no word of JSON
  }
  return result;
}

class Schema : public ::testing::Test {
 protected:
  static const Checker& schema() {
    static const Checker* const checker = [] {
      const Outcome outcome = call({"schema"});
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      EXPECT_THAT(outcome.err, ::testing::IsEmpty());
      return new Checker(json::parse(outcome.out, nullptr, /*allow_exceptions=*/false));
    }();
    return *checker;
  }

  static void SetUpTestSuite() {
    ASSERT_TRUE(schema().root().is_object()) << "not JSON";
    Registry registry({BLIP3U_PLUGIN_FOLDER});
    resolved = to_json(YAML::Load(load_recipe(BLIP3U_SOURCE_DIR "/recipes/easy_vqa.yaml", {}, registry).resolved));
  }

  /// The default recipe with one place changed; a value that is absent (`discarded`) takes it out.
  static json changed(const std::string& place, const json& value) {
    json recipe = resolved;
    const json::json_pointer pointer(place);
    if (value.is_discarded()) {
      recipe[pointer.parent_pointer()].erase(pointer.back());
    } else {
      recipe[pointer] = value;
    }
    return recipe;
  }

  inline static json resolved;
};

const json gone = json(json::value_t::discarded);

TEST_F(Schema, NamesItsDialect) {
  EXPECT_EQ(schema().root().at("$schema"), "https://json-schema.org/draft/2020-12/schema");
}

TEST_F(Schema, DescribesEveryKeyOfTheDefaultRecipe) {
  EXPECT_TRUE(schema().accepts(resolved));
  EXPECT_TRUE(schema().accepts(to_json(YAML::LoadFile(BLIP3U_SOURCE_DIR "/recipes/easy_vqa.yaml"))));
  // A key beside any other is refused, wherever there is a map: nothing is accepted because it is not looked at.
  int maps = 0;
  const json flat = resolved.flatten();
  for (const auto& [place, unused] : flat.items()) {
    const json::json_pointer map = json::json_pointer(place).parent_pointer();
    if (!resolved.at(map).is_object()) continue;
    EXPECT_FALSE(schema().accepts(changed((map / "stranger").to_string(), 1))) << map.to_string();
    ++maps;
  }
  EXPECT_GT(maps, 50);
}

TEST_F(Schema, RefusesWhatTheProgramRefuses) {
  const std::vector<std::pair<std::string, json>> mistakes = {
      {"/name", gone},
      {"/data", gone},
      {"/seed", -1},
      {"/seed", 0.5},
      {"/seed", "one"},
      {"/tokenizer", "word"},
      {"/tokenizer", 7},
      {"/data/plugin", gone},
      {"/data/image_size", 4},
      {"/data/fetch", "true"},
      {"/data/held_out", "red triangle"},
      {"/data", "image_folder"},
      {"/data", {{"plugin", "image_folder"}}},
      {"/pipeline/sampler/plugin", "ddpm"},
      {"/pipeline/sampler/plugin", "clip"},
      {"/pipeline/sampler/steps", 0},
      {"/pipeline/sampler/steps", 1.5},
      {"/pipeline/sampler/solver", "rk4"},
      {"/pipeline/sampler/loss_weights", {{"contrastive", 1}}},
      {"/pipeline/encoder/loss_weights", {{"contrastive", -1}}},
      {"/pipeline/backbone/loss_weights", json::object()},
      {"/pipeline/painter", "clip"},
      {"/templates/prompt", nullptr},
      {"/training", json::object()},
      {"/training/0/steps", gone},
      {"/training/0/objective", "guess"},
      {"/training/0/train", {"sampler"}},
      {"/training/0/warmup", 2},
      {"/evaluation/0", {{"questions", 3}}},
      {"/evaluation/0", "vqa"},
      {"/evaluation/0", nullptr},
  };
  for (const auto& [place, value] : mistakes) {
    EXPECT_FALSE(schema().accepts(changed(place, value))) << place << ": " << value;
  }
}

TEST_F(Schema, AcceptsWhatTheProgramAccepts) {
  const std::vector<std::pair<std::string, json>> good = {
      {"/seed", 9007199254740992},
      {"/tokenizer", "words"},
      {"/tokenizer", "words/words"},
      {"/data", {{"plugin", "image_folder"}, {"path", "pictures"}}},
      {"/pipeline/sampler", {{"plugin", "ddpm"}, {"steps", 5}}},
      {"/pipeline/sampler", {{"plugin", "flow_matching/flow_matching"}, {"loss_weights", {{"flow", 2.5}}}}},
      {"/pipeline/decoder", nullptr},
      {"/pipeline/decoder", gone},
      {"/templates", gone},
      {"/training", json::array()},
      {"/evaluation/0", "tasks/vqa"},
  };
  for (const auto& [place, value] : good) {
    EXPECT_TRUE(schema().accepts(changed(place, value))) << place << ": " << value;
  }
}

TEST_F(Schema, ARecipeWithABaseGivesOnlyWhatDiffers) {
  const auto with_base = [](json recipe) {
    recipe["base"] = "easy_vqa.yaml";
    return recipe;
  };
  EXPECT_TRUE(schema().accepts(with_base(json::object())));
  EXPECT_TRUE(schema().accepts(with_base({{"pipeline", {{"encoder", {{"grid", 8}}}, {"decoder", nullptr}}}})));
  EXPECT_TRUE(schema().accepts(with_base({{"data", {{"plugin", "image_folder"}, {"test_share", 0.2}}}})));
  EXPECT_FALSE(schema().accepts(with_base({{"pipeline", {{"encoder", {{"grdi", 8}}}}}})));
  EXPECT_FALSE(schema().accepts(with_base({{"evaluation", json::array({{{"questions", 3}}})}}))) << "lists replace";
  EXPECT_FALSE(schema().accepts({{"pipeline", {{"encoder", {{"grid", 8}}}}}})) << "it has no base";
}

}  // namespace
}  // namespace blip3u::testing
