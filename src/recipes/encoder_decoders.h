// Encoder-decoders that learn.
#pragma once

#include <filesystem>

#include "model/encoder_decoder.h"

namespace quern::recipes {

// One to go on with: masters in f32. Errors of load_encoder_decoder.
Result<model::EncoderDecoder> open_encoder_decoder(const std::filesystem::path& path, DType compute_dtype);

// BART's bias of logits learns nothing, as in transformers, where it is none of the parameters.
void hold_logit_bias(model::EncoderDecoder& model);

}  // namespace quern::recipes
