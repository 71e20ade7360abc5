#include "recipe/fake_catalog.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace recipe_test {

using blip3u::ComponentDescriptor;
using blip3u::integer;
using blip3u::Kind;
using blip3u::number;
using blip3u::Parameters;
using blip3u::required;
using blip3u::text;
using blip3u::texts;
using blip3u::Wiring;

const char* const good_recipe = R"(name: small
data: {plugin: shapes, image_size: 64}
tokenizer: words
pipeline:
  encoder: {plugin: clip, patch: 16}
  backbone: gpt
  denoiser: dit
  sampler:
    plugin: flow_matching
    steps: 20
  decoder: {plugin: unclip, tokens: 16}
training:
  - {name: encoder, objective: encoder, train: [encoder], steps: 100}
  - name: denoiser
    objective: conversation
    text_weight: 0
    train: [denoiser]
    steps: 200
evaluation:
  - tasks/vqa
)";

namespace {

constexpr const char* features[] = {"features"};
constexpr const char* session[] = {"session"};
constexpr const char* predict[] = {"predict"};
constexpr const char* times[] = {"uniform", "logit_normal"};
constexpr const char* clip_losses[] = {"contrastive", "reconstruction"};

constexpr blip3u::ParameterSpec shapes_parameters[] = {texts("held_out", "red circle, blue square", "captions"),
                                                       text("folder", "", "where the pictures are")};
constexpr blip3u::ParameterSpec clip_parameters[] = {integer("patch", 16, 1, 64, "pixels a side of a token"),
                                                     integer("width", 128, 1, 4096, "features of a token"),
                                                     number("temperature", 0.07, 1e-4, 10, "of the contrast"),
                                                     blip3u::boolean("reconstruct", false, "adds a loss term")};
constexpr blip3u::ParameterSpec sampler_parameters[] = {integer("steps", 30, 1, 1000, "of the solver"),
                                                        number("guidance", 3, 0, 100, "strength"),
                                                        text("time", "logit_normal", "distribution", times)};
constexpr blip3u::ParameterSpec heun_parameters[] = {required(number("stretch", 0, 0, 10, "how far it goes")),
                                                     blip3u::numbers("levels", "0.5, 1", 0, 10, "where it stops"),
                                                     blip3u::path("table", "", "of its steps")};
constexpr blip3u::ParameterSpec decoder_parameters[] = {integer("tokens", 16, 1, 4096, "tokens it takes")};
constexpr blip3u::ParameterSpec task_parameters[] = {integer("limit", 0, 0, 100000, "items, 0 for all")};

void check_clip(const Parameters& parameters, Wiring& wiring) {
  const auto patch = parameters.integer("patch");
  if (wiring.image_size % patch != 0) wiring.reject("patch", "choose a patch that divides the image size");
  wiring.features.tokens = (wiring.image_size / patch) * (wiring.image_size / patch);
  wiring.features.width = parameters.integer("width");
}

void check_pixels(const Parameters&, Wiring& wiring) { wiring.features = {.tokens = 64, .width = 192, .groups = {}}; }

void check_hasty(const Parameters&, Wiring&) { throw std::runtime_error("not so fast"); }

void check_gpt(const Parameters&, Wiring& wiring) { wiring.backbone_width = 96; }

void check_decoder(const Parameters& parameters, Wiring& wiring) {
  if (wiring.features.tokens == 0) return wiring.reject("", "there is no encoder to decode the features of");
  if (parameters.integer("tokens") != wiring.features.tokens) {
    wiring.reject("tokens", "takes " + std::to_string(parameters.integer("tokens")) + " tokens, the encoder makes " +
                                std::to_string(wiring.features.tokens));
  }
}

struct Known {
  const char* name;
  ComponentDescriptor component;
};

const std::vector<Known>& all() {
  static const std::vector<Known> known = {
      {"shapes", {.kind = Kind::dataset, .name = "shapes", .summary = "", .parameters = shapes_parameters}},
      {"words", {.kind = Kind::tokenizer, .name = "words", .summary = ""}},
      {"clip",
       {.kind = Kind::encoder,
        .name = "clip",
        .summary = "",
        .provides = features,
        .parameters = clip_parameters,
        .losses = clip_losses,
        .check = check_clip}},
      {"pixels", {.kind = Kind::encoder, .name = "pixels", .summary = "", .provides = features, .check = check_pixels}},
      {"mute", {.kind = Kind::encoder, .name = "mute", .summary = "", .provides = features}},
      {"gpt", {.kind = Kind::backbone, .name = "gpt", .summary = "", .provides = session, .check = check_gpt}},
      {"mute", {.kind = Kind::backbone, .name = "mute", .summary = "", .provides = session}},
      {"dit", {.kind = Kind::denoiser, .name = "dit", .summary = "", .provides = predict, .needs = session}},
      {"mlp", {.kind = Kind::denoiser, .name = "mlp", .summary = "", .provides = predict, .needs = session}},
      {"flow_matching",
       {.kind = Kind::sampler,
        .name = "flow_matching",
        .summary = "",
        .needs = predict,
        .parameters = sampler_parameters}},
      {"ddpm",
       {.kind = Kind::sampler, .name = "ddpm", .summary = "", .needs = predict, .parameters = sampler_parameters}},
      {"acme/heun",
       {.kind = Kind::sampler, .name = "heun", .summary = "", .needs = predict, .parameters = heun_parameters}},
      {"hasty", {.kind = Kind::sampler, .name = "hasty", .summary = "", .check = check_hasty}},
      {"unclip",
       {.kind = Kind::decoder,
        .name = "unclip",
        .summary = "",
        .needs = features,
        .parameters = decoder_parameters,
        .check = check_decoder}},
      {"patch_decoder",
       {.kind = Kind::decoder,
        .name = "patch_decoder",
        .summary = "",
        .needs = features,
        .parameters = decoder_parameters}},
      {"tasks/vqa", {.kind = Kind::task, .name = "vqa", .summary = "", .parameters = task_parameters}},
      {"tasks/generation", {.kind = Kind::task, .name = "generation", .summary = "", .parameters = task_parameters}},
  };
  return known;
}

}  // namespace

blip3u::CatalogEntry FakeCatalog::find(Kind kind, std::string_view name) {
  if (name == "broken") throw blip3u::Error(blip3u::Fault::plugin, "/plugins/broken.so: not a shared library");
  for (const Known& known : all()) {
    if (known.component.kind != kind || known.name != name) continue;
    const std::string library(name.substr(0, name.find('/')));
    return {&known.component, "/plugins/" + library + ".so", "1.0.0", "hash-of-" + library + hash_suffix};
  }
  return {};
}

std::vector<std::string> FakeCatalog::names(Kind kind) {
  std::vector<std::string> result;
  for (const Known& known : all()) {
    if (known.component.kind == kind) result.emplace_back(known.name);
  }
  std::sort(result.begin(), result.end());
  return result;
}

void FakeCatalog::add_folder(const std::filesystem::path& folder) {
  if (folder.filename() == "nowhere") throw blip3u::Error(blip3u::Fault::plugin, "nowhere: no such plugin folder");
  folders.push_back(folder.string());
}

RecipeTest::RecipeTest() : before_(std::filesystem::current_path()) {
  std::string name = testing::TempDir() + "blip3u-recipe-XXXXXX";
  folder_ = mkdtemp(name.data());
  std::filesystem::current_path(folder_);
}

RecipeTest::~RecipeTest() {
  std::filesystem::current_path(before_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string RecipeTest::write(const std::string& text, const std::string& name) {
  const std::filesystem::path path(name);
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return name;
}

std::string RecipeTest::changed(const std::string& from, const std::string& to) {
  std::string result = good_recipe;
  const auto place = result.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  EXPECT_EQ(result.find(from, place + 1), std::string::npos) << from << " is there more than once";
  return place == std::string::npos ? result : result.replace(place, from.size(), to);
}

blip3u::Recipe RecipeTest::load(const std::string& text, const std::vector<std::string>& overrides) {
  return blip3u::load_recipe(write(text), overrides, catalog_);
}

std::string RecipeTest::refusal(const std::string& text, const std::vector<std::string>& overrides,
                                blip3u::Fault fault) {
  return file_refusal(write(text), overrides, fault);
}

std::string RecipeTest::file_refusal(const std::string& file, const std::vector<std::string>& overrides,
                                     blip3u::Fault fault) {
  try {
    blip3u::load_recipe(file, overrides, catalog_);
  } catch (const blip3u::Error& error) {
    EXPECT_EQ(error.fault(), fault) << error.what();
    return error.what();
  }
  return {};
}

}  // namespace recipe_test
