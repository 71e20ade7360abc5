// The out-of-line parts of the contracts: one home for their vtables, and what an absent capability says.
#include "blip3u/backbone.h"
#include "blip3u/dataset.h"
#include "blip3u/decoder.h"
#include "blip3u/denoiser.h"
#include "blip3u/encoder.h"
#include "blip3u/error.h"
#include "blip3u/guidance.h"
#include "blip3u/host.h"
#include "blip3u/model.h"
#include "blip3u/plugin.h"
#include "blip3u/sampler.h"
#include "blip3u/task.h"
#include "blip3u/tokenizer.h"

namespace blip3u {

namespace {
[[noreturn]] void lacks(const char* kind, const char* capability) {
  throw Error(Fault::plugin, std::string("this ") + kind + " was asked for '" + capability +
                                 "', which it does not implement; its descriptor must not provide it");
}
}  // namespace

Error::~Error() = default;
Cancelled::~Cancelled() = default;
Component::~Component() = default;
LearnsBesides::~LearnsBesides() = default;
AfterStep::~AfterStep() = default;
Encoder::~Encoder() = default;
AnySize::~AnySize() = default;
Session::~Session() = default;
Joins::~Joins() = default;
Backbone::~Backbone() = default;
Condition::~Condition() = default;
Stream::~Stream() = default;
Streams::~Streams() = default;
Keeps::~Keeps() = default;
Nulls::~Nulls() = default;
Denoiser::~Denoiser() = default;
Guidance::~Guidance() = default;
Objective::~Objective() = default;
Sampler::~Sampler() = default;
Decoder::~Decoder() = default;
Tokenizer::~Tokenizer() = default;
LearnsVocabulary::~LearnsVocabulary() = default;
Reader::~Reader() = default;
Dataset::~Dataset() = default;
Indexed::~Indexed() = default;
Classes::~Classes() = default;
Model::~Model() = default;
Task::~Task() = default;
Weights::~Weights() = default;
Ranks::~Ranks() = default;
Host::~Host() = default;

Tensor Encoder::embed_image(const Visual&) { lacks("encoder", "text_embedding"); }
Tensor Encoder::embed_text(const TextBatch&) { lacks("encoder", "text_embedding"); }
Tensor Encoder::embed_codes(const Tensor&, std::int64_t) { lacks("encoder", "codes"); }

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::encoder: return "encoder";
    case Kind::backbone: return "backbone";
    case Kind::denoiser: return "denoiser";
    case Kind::sampler: return "sampler";
    case Kind::decoder: return "decoder";
    case Kind::tokenizer: return "tokenizer";
    case Kind::dataset: return "dataset";
    case Kind::task: return "task";
    case Kind::guidance: return "guidance";
    case Kind::objective: return "objective";
  }
  return "unknown";
}

}  // namespace blip3u
