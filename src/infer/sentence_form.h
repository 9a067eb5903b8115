// How the states of a text's tokens become one vector, and what sentence-transformers' folders and GGUF files say about
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf/metadata.h"

namespace quern::infer {

// Over the tokens of a text, special ones included:
//   cls            the first state
//   max, mean      of each channel
//   mean_sqrt_len  the sum over the square root of their number
//   weighted_mean  the mean in which the token at place t counts t + 1 times
//   last           the last state
//   pooler         what the model's own pooler makes of the first state
enum class Pooling : uint8_t { cls, max, mean, mean_sqrt_len, weighted_mean, last, pooler };

struct SentenceForm {
  std::vector<Pooling> pooling = {Pooling::mean};  // their vectors one after the other
  bool normalize = false;                          // to length 1
  int64_t longest = 0;                             // tokens of a text; 0: as many as the model has positions
};

// Of the modules.json, 1_Pooling/config.json and sentence_bert_config.json in a folder, or the metadata of a GGUF file;
// none where there is no modules.json, or no way of pooling. corrupt, or unsupported for modules and ways that Quern has
// not (their type is named).
Result<std::optional<SentenceForm>> read_sentence_form(const std::filesystem::path& path);
// Those files of a folder, for states of `hidden` channels.
Result<void> write_sentence_form(const SentenceForm& form, int64_t hidden,
                                 const std::filesystem::path& folder);

// The keys of a GGUF file: its pooling_type, and two of Quern's own for what it does not tell. Without those vectors
// have length 1, as llama.cpp makes them. unsupported for what files have no type of.
Result<void> write_sentence_form(const SentenceForm& form, formats::GgufMetadata& metadata);

}  // namespace quern::infer
