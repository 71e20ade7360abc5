// The checked recipe: everything a run needs, defaults filled in. recipes/README.md explains every key.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "blip3u/plugin.h"
#include "recipe/catalog.h"

namespace blip3u {

/// A folder that a component's weights come from.
struct WeightsChoice {
  std::string from;       ///< absolute
  std::string subfolder;  ///< of it; may be empty

  std::filesystem::path folder() const { return std::filesystem::path(from) / subfolder; }
};

/// One component as a recipe names it.
struct BLIP3U_API ComponentChoice {
  Kind kind;
  std::string name;  ///< as written: `clip` or `acme/heun`
  CatalogEntry entry;
  Parameters parameters;
  std::map<std::string, double> loss_weights = {};  ///< of every loss that the component declares
  std::optional<WeightsChoice> weights = {};
  /// Hashes of what stands at its paths, by parameter, and of `weights`; they stand for the paths in what names a run.
  /// None for a data set, whose fingerprint says what it holds.
  std::map<std::string, std::string, std::less<>> contents = {};
  Wiring wiring = {};  ///< of its place; only parts of the pipeline have their own

  bool provides(std::string_view capability) const;
};

/// A data set and its share in what is read.
struct SourceChoice {
  ComponentChoice dataset{Kind::dataset, {}, {}, {}};
  double weight = 1;  ///< of its share of the samples, > 0
  std::vector<std::string>
      filter;  ///< conditions on labels that a sample must all meet, `label=value` or `label!=value`
};

/// What the stages learn from.
struct DataChoice {
  std::vector<SourceChoice> sources;
  std::int64_t image_size = 0;  ///< pixels a side
  std::int64_t lanes = 0;       ///< independent walks through the data; 0: as many as a batch has rows
  std::int64_t window = 0;      ///< samples that a lane shuffles at a time, where a data set has no index
  std::int64_t workers = 0;     ///< threads that read ahead
  double corrupt_share = 0;     ///< of the samples that may be corrupt
  bool keep_features = true;    ///< what frozen encoders make of pictures, for the next time
};

/// What a stage trains on, which decides the components it runs.
enum class ObjectiveKind {
  encoder,       ///< the encoder's own loss on images and captions
  decoder,       ///< the decoder's loss on features of the frozen encoder
  conversation,  ///< what the assistant says, and the sampler's loss on the pictures that it makes
};

struct Stage {
  std::string name;
  ObjectiveKind objective = ObjectiveKind::encoder;
  std::vector<std::string> train;  ///< what learns, as trained_parts() reads it
  std::int64_t steps = 0;
  std::int64_t batch = 0;
  double learning_rate = 0;
  double final_learning_rate = 0;  ///< as a share of learning_rate, reached by a cosine
  double warmup = 0;               ///< share of the steps over which the rate rises linearly
  double weight_decay = 0;
  double gradient_clip = 0;         ///< largest global norm; 0: off
  double average_decay = 0;         ///< of the exponential moving average of weights that is kept; 0: off
  double dropout = 0;               ///< share of pictures to be made that are learned without their conversation
  double text_dropout = 0;          ///< without the conversation's texts
  double image_dropout = 0;         ///< without the conversation's pictures
  double text_weight = 0;           ///< of the loss of what the assistant says; 0: no texts are learned
  double image_weight = 0;          ///< of the sampler's loss; 0: no pictures are learned
  double image_share = 0;           ///< of a batch that makes pictures, where both are learned; 0: as the data have it
  double word_dropout = 0;          ///< share of the words of prompts of pictures that are left out
  std::vector<std::string> filter;  ///< conditions on labels, as those of a data source
  std::int64_t parts = 0;           ///< of a batch, that are worked out at once on a CPU
  std::int64_t checkpoint_every = 0;  ///< steps
};

/// Of an entry of Stage::train, `role` or `role:pattern`: weights of a part whose names match, as file names do.
struct TrainedPart {
  std::string role;           ///< of PipelineChoices::parts
  std::string pattern = "*";  ///< with * and ?

  BLIP3U_API bool holds(const std::string& weight) const;
};
BLIP3U_API std::vector<TrainedPart> trained_parts(const Stage& stage);
BLIP3U_API bool trains(const Stage& stage, std::string_view role);

/// A link of generation: what its target encoder makes of pictures, its denoiser learns to make. Roles of parts; ""
/// where the recipe names none.
struct LinkChoice {
  std::string target, denoiser;
  std::string sampler;   ///< trains the denoiser
  std::string solver;    ///< makes pictures in place of the sampler that trained
  std::string guidance;  ///< of the making
  std::string place;     ///< the path in `pipeline`, such as generation.1; "" where the short keys are used
};

struct BLIP3U_API PipelineChoices {
  /// By role, which is the path of keys in `pipeline`: encoder, backbone, understanding.1, generation.0.denoiser.
  std::map<std::string, ComponentChoice, std::less<>> parts;
  std::vector<std::string> understanding;  ///< the encoders that the backbone reads with
  std::vector<LinkChoice> generation;      ///< each sees what those before it made

  const ComponentChoice* find(std::string_view role) const;  ///< null if the recipe names none

  /// All that are named, in the order in which they are built: encoders, backbone, link by link, decoder.
  std::vector<std::string> roles() const;

  /// Those that the backbone reads with, then the other targets.
  std::vector<std::string> encoders() const;

  /// Visual::source of what the encoder in a role makes: which of `understanding` it is; -1: none.
  std::int64_t source_of(std::string_view role) const;

  /// The encoder whose features the decoder decodes: the last link's target, else the first that is read with; "" if
  /// there is none.
  std::string decoded() const;
};

/// The links whose losses a stage has: none if it learns no pictures, those whose denoisers it trains, or all if it
/// trains no denoiser.
BLIP3U_API std::vector<std::size_t> learned_links(const Stage& stage, const PipelineChoices& pipeline);

struct Recipe {
  std::string name;
  std::uint64_t seed = 0;
  std::string device;                       ///< auto, cpu, cuda or cuda:N
  std::filesystem::path output;             ///< the folder that run directories go to
  std::int64_t inference_batch = 64;        ///< requests that are worked on at once, which changes no result
  std::vector<std::string> plugin_folders;  ///< besides the program's own, absolute
  DataChoice data;
  ComponentChoice tokenizer;
  PipelineChoices pipeline;
  std::string prompt_template;    ///< with {prompt}
  std::string question_template;  ///< with {question}
  std::vector<Stage> stages;
  std::vector<ComponentChoice> evaluation;

  Wiring wiring;           ///< of data sets, tokenizer and tasks, as the checks of all parts left it
  std::string as_written;  ///< text of the file, for the run directory
  std::string resolved;    ///< YAML with every default filled in; loading it gives this recipe again
  std::string hash;        ///< hex, of `resolved` without name, output and plugin folders, and of the plugin files used
};

/// Reads, checks and resolves a recipe. Overrides are `path.to.key=value`. All errors are reported together in one
/// Error(Fault::usage), one a line group, each as `file:line:column: what and how to mend it`, the source line below.
/// `more_plugin_folders`, which the catalog searches already, are noted in the resolved recipe.
BLIP3U_API Recipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                              Catalog& catalog, const std::vector<std::filesystem::path>& more_plugin_folders = {});

/// `tasks/vqa` -> `vqa`
BLIP3U_API std::string short_name(const std::string& component);

}  // namespace blip3u
