// Checks of the tree against schemas, and what they make of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "recipe/catalog.h"
#include "recipe/diagnostics.h"
#include "recipe/node.h"
#include "recipe/recipe.h"

namespace blip3u {

struct CheckedMap {
  Parameters parameters;  ///< defaults stand for what was absent or wrong
  bool valid = true;
};

/// Checks the keys and values of a map against a schema. `others` are keys that the caller reads itself; `what` names
/// the map in messages ("the recipe"), `where` is the place to blame for missing keys.
CheckedMap check_map(const Node& map, const Position& where, std::string_view what,
                     std::span<const ParameterSpec> schema, std::span<const char* const> others,
                     Diagnostics& diagnostics);

/// Reads one value as declared. Reports and returns false if it does not fit.
bool read_value(const Node& node, std::string_view name, const ParameterSpec& spec, ParameterValue& value,
                Diagnostics& diagnostics);

/// Reports, unless the node has been reported, that it is not what `name` must be ("a list of stages").
void expected(const Node& node, std::string_view name, std::string_view what, Diagnostics& diagnostics);

/// Whether the text has plain_name_form, so that files can be named after it.
bool is_plain_name(std::string_view text);
inline constexpr const char* plain_name_form = "1 to 100 letters, digits, - and _";

// Schemas of the maps that belong to no component.
BLIP3U_API std::span<const ParameterSpec> recipe_schema();
BLIP3U_API std::span<const ParameterSpec> template_schema();
BLIP3U_API std::span<const ParameterSpec> data_schema();    ///< besides the data sets
BLIP3U_API std::span<const ParameterSpec> source_schema();  ///< besides a data set's own
BLIP3U_API std::span<const ParameterSpec> stage_schema();   ///< of stage_keys()

/// The keys of a component's `weights`.
BLIP3U_API std::span<const ParameterSpec> weights_schema();

/// Whether components of this kind take `weights`.
BLIP3U_API bool takes_weights(Kind kind);

/// What each entry of `loss_weights` is.
BLIP3U_API const ParameterSpec& loss_weight_schema();

/// The member of the wiring that a component's `check` must set, but left empty; null if there is none.
BLIP3U_API const char* unset_member(Kind kind, const Wiring& wiring);

/// A key of a link of `generation`. All but the target are keys of `pipeline` itself where there is only one link.
struct LinkKey {
  const char* name;
  Kind kind;
  std::string LinkChoice::*role;
};
/// In the order of their checks.
inline constexpr LinkKey link_keys[] = {{"target", Kind::encoder, &LinkChoice::target},
                                        {"denoiser", Kind::denoiser, &LinkChoice::denoiser},
                                        {"sampler", Kind::sampler, &LinkChoice::sampler},
                                        {"solver", Kind::sampler, &LinkChoice::solver},
                                        {"guidance", Kind::guidance, &LinkChoice::guidance}};
/// Those of a pipeline with one link.
inline constexpr std::span<const LinkKey> short_link_keys = std::span(link_keys).subspan(1);

/// A key of a stage and the member that it fills.
struct StageKey {
  ParameterSpec spec;
  std::variant<std::string Stage::*, std::int64_t Stage::*, double Stage::*, std::vector<std::string> Stage::*,
               ObjectiveKind Stage::*>
      member;
};
/// All of them: the one table from which stages are read, written, and told apart. Marked `inference` is what does not
/// decide the outcome.
BLIP3U_API std::span<const StageKey> stage_keys();
BLIP3U_API ParameterValue value_of(const Stage& stage, const StageKey& key);

class ComponentChecker;

/// Checks `filter` of a data source or a stage.
void check_filter(const Node& owner, const std::vector<std::string>& filter, Diagnostics& diagnostics);

/// Checks `data`: one data set with these keys among its own, or a list of `sources`.
DataChoice check_data(const Node& node, const Position& where, ComponentChecker& components, Diagnostics& diagnostics);

PipelineChoices check_pipeline(const Node& node, ComponentChecker& components, Diagnostics& diagnostics);

/// Checks the list of stages against the parts of the pipeline that the recipe names.
std::vector<Stage> check_stages(const Node& list, const PipelineChoices& pipeline, Diagnostics& diagnostics);

BLIP3U_API const char* objective_name(ObjectiveKind objective);

/// Finds the components of a recipe, checks their parameters, then how they fit together. The nodes must outlive it.
class ComponentChecker {
 public:
  ComponentChecker(Catalog& catalog, Diagnostics& diagnostics) : catalog_(catalog), diagnostics_(diagnostics) {}

  /// `node` is a component map. `others` are keys that the caller reads itself; `role` is that of a part of the
  /// pipeline.
  ComponentChoice add(Kind kind, const Node& node, const Position& where, std::span<const char* const> others = {},
                      const std::string& role = {});

  /// Needs and provides, and the components' own checks, in the order that plugin.h gives. Without all components and
  /// their parameters in order it leaves out what could only mislead. Each part of the pipeline is given the wiring of
  /// its place; returned is that of all other components.
  Wiring wire(std::int64_t image_size, PipelineChoices& pipeline);

 private:
  struct Placed {
    ComponentChoice choice;
    const Node* node;
    Position where;
    std::string role;      ///< of a part of the pipeline
    bool provided = true;  ///< with what it needs
  };
  bool find(Placed& placed);
  void read_loss_weights(Placed& placed);
  void read_weights(Placed& placed);
  void read_contents(Placed& placed);
  /// Whether one may use the other: a link its own parts and its target, a decoder the encoder that it decodes.
  static bool reaches(const Placed& placed, const Placed& other, const PipelineChoices& pipeline);
  void check_needs(Placed& placed, const PipelineChoices& pipeline);
  void check_kind(Kind kind, Wiring& wiring);
  void check_role(const std::string& role, Wiring& wiring);
  void run_check(const Placed& placed, Wiring& wiring);
  std::string providers_of(std::string_view capability);

  Catalog& catalog_;
  Diagnostics& diagnostics_;
  std::vector<Placed> placed_;
  bool all_found_ = true;
  bool all_valid_ = true;
};

/// A recipe from its tree, all but `as_written`, `resolved` and `hash`. Of `ablate` nothing is read.
Recipe check_recipe(const Node& root, Catalog& catalog, Diagnostics& diagnostics);

/// A value as the resolved recipe writes it.
BLIP3U_API std::string yaml_text(const ParameterValue& value);

/// A component's parameter as what names a run has it: of a path, what stands there and not where that is.
std::string identity_text(const ComponentChoice& choice, std::string_view parameter);

/// Fills in `resolved` and `hash` of an otherwise complete recipe.
void resolve(Recipe& recipe);

}  // namespace blip3u
