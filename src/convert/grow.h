// Decoders made larger: rows for tokens that they have not seen.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "model/decoder.h"
#include "text/tokenizer.h"

namespace quern::convert {

// The decoder with rows for tokens from `known` to below `vocab`, in its embeddings, and in its head where that is a table of
// its own: each is the mean of the rows before `known`, a token like any other (Hewitt 2021,
// https://nlp.stanford.edu/~johnhew/vocab-expansion.html). It shares all other weights with `model`; the tables become f32. A
// table that is longer already stays as long. Precondition: 0 < known <= vocabulary of the model.
Result<model::Decoder> grown(const model::Decoder& model, int64_t known, int64_t vocab);

struct NewTokens {
  std::vector<std::string> texts = {};    // words: also found in what people type
  std::vector<std::string> special = {};  // marks: left out of text for people
  bool any() const { return !texts.empty() || !special.empty(); }
};

// Writes the decoder at `path`, a model folder or a GGUF file, with new tokens, as save_as_hf does. unsupported for models
// that are no decoders; errors of Tokenizer::with_tokens and save_as_hf.
Result<void> save_grown(const std::filesystem::path& path, const NewTokens& tokens,
                        const std::filesystem::path& folder, std::optional<DType> dtype, bool replace,
                        Progress& progress);

}  // namespace quern::convert
