// The checks of each kind. Each is given a subject of which instances can be made.
#pragma once

#include "calls.h"

namespace blip3u::conformance {

// What components do that is checked alike for several kinds.
Behaviour encoder_behaviour(const Subject& subject);
Behaviour decoder_behaviour(const Subject& subject);
Behaviour denoiser_behaviour(const Subject& subject);
Behaviour backbone_behaviour(const Subject& subject);
Behaviour sampler_behaviour(const Subject& subject);
Behaviour guidance_behaviour(const Subject& subject);
Behaviour tokenizer_behaviour(const Subject& subject);

// What only their kind is asked.
void check_encoder(Recorder& recorder, const Subject& subject);
void check_decoder(Recorder& recorder, const Subject& subject, const Behaviour& behaviour);
void check_denoiser(Recorder& recorder, const Subject& subject, const Behaviour& behaviour);
void check_backbone(Recorder& recorder, const Subject& subject);
void check_sampler(Recorder& recorder, const Subject& subject);
void check_guidance(Recorder& recorder, const Subject& subject);
void check_dataset(Recorder& recorder, const Subject& subject);
void check_tokenizer(Recorder& recorder, const Subject& subject);
void check_task(Recorder& recorder, const Subject& subject);

/// descriptor and defaults, which need no instance.
void check_descriptor(Recorder& recorder, const Subject& subject);

/// create_destroy and range_ends. Returns whether an instance can be made.
bool check_creation(Recorder& recorder, const Subject& subject);

}  // namespace blip3u::conformance
