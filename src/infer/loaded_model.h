// A model opened for use: weights, and the language that belongs to them.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "infer/language.h"
#include "infer/session.h"
#include "model/load.h"

namespace quern::infer {

struct LoadedModel : Language {
  model::Decoder model;
  std::optional<model::Encoder> encoder = {};  // of an encoder-decoder, whose decoder is `model`
};

// A Hugging Face folder, a training run, or a GGUF file (any file of a split one). Errors of load_model and
// open_language; conflict when the tokenizer has more tokens than the model.
// `pack`: see model::LoadOptions. `encoder_decoders`: they are welcome (read_text), otherwise a conflict.
Result<LoadedModel> open_model(const std::filesystem::path& path, DType compute_dtype, bool pack = true,
                               bool encoder_decoders = false);

// Gives `session` a text to answer, and returns what its answers begin with. Precondition: the model has an encoder.
// invalid_argument when the text is empty, holds a token outside the vocabulary, or is longer than the encoder's positions.
Result<std::vector<int32_t>> read_text(Session& session, const LoadedModel& loaded,
                                       std::span<const int32_t> tokens);

}  // namespace quern::infer
