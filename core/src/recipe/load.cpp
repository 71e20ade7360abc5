// load_recipe: tree, overrides, checks, then the resolved recipe.
#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "recipe/check.h"

namespace blip3u {

namespace {

bool is_device(std::string_view text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return true;
  constexpr std::string_view numbered = "cuda:";
  if (!text.starts_with(numbered)) return false;
  text.remove_prefix(numbered.size());
  return !text.empty() && text.size() <= 2 && text.find_first_not_of("0123456789") == std::string_view::npos &&
         (text.size() == 1 || text[0] != '0');
}

class RecipeChecker {
 public:
  RecipeChecker(const Node& root, Catalog& catalog, Diagnostics& diagnostics)
      : root_(root), catalog_(catalog), diagnostics_(diagnostics), components_(catalog, diagnostics) {}

  Recipe check() {
    Recipe recipe{};
    check_scalars(recipe);
    check_templates(recipe);
    if (const Entry* data = section("data", "the data set")) {
      recipe.data = check_data(data->value, data->position, components_, diagnostics_);
    }
    if (const Entry* tokenizer = section("tokenizer", "what turns text into numbers")) {
      recipe.tokenizer = components_.add(Kind::tokenizer, tokenizer->value, tokenizer->position);
    }
    if (const Entry* pipeline = section("pipeline", "the parts of the model")) {
      recipe.pipeline = check_pipeline(pipeline->value, components_, diagnostics_);
    }
    if (const Node* training = root_.value("training")) {
      recipe.stages = check_stages(*training, recipe.pipeline, diagnostics_);
    }
    if (const Node* evaluation = root_.value("evaluation")) check_evaluation(*evaluation, recipe.evaluation);
    recipe.wiring = components_.wire(recipe.data.image_size, recipe.pipeline);
    return recipe;
  }

 private:
  const Entry* section(const char* key, const char* meaning) {
    const Entry* entry = root_.find(key);
    if (!entry) diagnostics_.add(root_.position, fmt::format("missing key `{}` in the recipe: {}", key, meaning));
    return entry;
  }

  void check_scalars(Recipe& recipe) {
    constexpr const char* sections[] = {"base",      "data",     "tokenizer",  "pipeline",
                                        "templates", "training", "evaluation", "ablate"};
    const Parameters keys =
        check_map(root_, root_.position, "the recipe", recipe_schema(), sections, diagnostics_).parameters;
    recipe.name = keys.text("name");
    recipe.seed = static_cast<std::uint64_t>(keys.integer("seed"));
    recipe.device = keys.text("device");
    recipe.output = keys.text("output");
    recipe.inference_batch = keys.integer("inference_batch");
    check_text("name", is_plain_name(recipe.name), plain_name_form);
    check_text("device", is_device(recipe.device), "auto, cpu, cuda or cuda:N");
    check_text("output", !recipe.output.empty(), "the path of a folder");
    const auto& folders = keys.texts("plugin_folders");
    for (std::size_t i = 0; i < folders.size(); ++i) {
      try {
        if (folders[i].empty()) throw Error(Fault::usage, "an empty path; name a folder");
        recipe.plugin_folders.push_back(std::filesystem::absolute(folders[i]).lexically_normal().string());
        catalog_.add_folder(recipe.plugin_folders.back());
      } catch (const Error& error) {
        diagnostics_.add(root_.value("plugin_folders")->items[i].position, error.what(), error.fault());
      }
    }
  }

  /// Adds to the schema's check of a text that is there.
  void check_text(const char* key, bool fits, const char* wanted) {
    const Node* node = root_.value(key);
    if (node && node->is(Node::Type::scalar) && !fits) expected_form(*node, key, wanted);
  }

  void expected_form(const Node& node, const char* key, const char* wanted) {
    diagnostics_.add(node.position, fmt::format("`{}` must be {}, is {}", key, wanted, in_ticks(node.text)));
  }

  void check_templates(Recipe& recipe) {
    Node none;
    none.type = Node::Type::map;
    const Node* found = root_.value("templates");
    const Node& templates = found ? *found : none;
    if (!templates.is(Node::Type::map)) expected(templates, "templates", "a map", diagnostics_);
    const Parameters texts =
        check_map(templates, templates.position, "`templates`", template_schema(), {}, diagnostics_).parameters;
    recipe.prompt_template = texts.text("prompt");
    recipe.question_template = texts.text("question");
    for (const char* key : {"prompt", "question"}) {
      const std::string placeholder = fmt::format("{{{}}}", key);
      if (texts.text(key).find(placeholder) != std::string::npos) continue;
      expected_form(*templates.value(key), key, fmt::format("a text that contains {}", placeholder).c_str());
    }
  }

  void check_evaluation(const Node& node, std::vector<ComponentChoice>& evaluation) {
    if (!node.is(Node::Type::list)) expected(node, "evaluation", "a list of tasks, [] for none", diagnostics_);
    std::set<std::string> names;
    for (const Node& item : node.items) {
      evaluation.push_back(components_.add(Kind::task, item, item.position));
      const std::string& name = evaluation.back().name;
      if (name.empty() || names.insert(name).second) continue;
      diagnostics_.add(item.position, fmt::format("a second task named `{}`, whose results would take the place of the "
                                                  "first's; remove one",
                                                  name));
    }
  }

  const Node& root_;
  Catalog& catalog_;
  Diagnostics& diagnostics_;
  ComponentChecker components_;
};

}  // namespace

Recipe check_recipe(const Node& root, Catalog& catalog, Diagnostics& diagnostics) {
  return RecipeChecker(root, catalog, diagnostics).check();
}

std::string short_name(const std::string& component) { return component.substr(component.rfind('/') + 1); }

Recipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides, Catalog& catalog,
                   const std::vector<std::filesystem::path>& more_plugin_folders) {
  Diagnostics diagnostics;
  std::string text;
  Node root = load_tree(file, text, diagnostics);
  apply_overrides(root, overrides, diagnostics);
  Recipe recipe = check_recipe(root, catalog, diagnostics);
  if (!diagnostics.empty()) diagnostics.raise();
  recipe.as_written = std::move(text);
  for (const auto& folder : more_plugin_folders) {
    recipe.plugin_folders.push_back(std::filesystem::absolute(folder).lexically_normal().string());
  }
  resolve(recipe);
  return recipe;
}

}  // namespace blip3u
