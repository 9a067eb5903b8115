// How a model's makers sample from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"

namespace quern::infer {

// As generation_config.json, or general.sampling.* of a GGUF file, say.
struct SamplingDefaults {
  std::optional<double> temperature = {}, top_p = {}, min_p = {}, typical_p = {}, repetition_penalty = {};
  std::optional<int64_t> top_k = {};
  // How answers are searched for, where nobody samples. Lengths are of answers, and told for encoder-decoders alone.
  std::optional<int64_t> beams = {}, no_repeat_ngram = {}, min_tokens = {}, max_tokens = {};
  std::optional<double> length_penalty = {};
  std::optional<std::string> early_stopping = {};  // as CompletionOptions names it
  int32_t forced_first = -1, forced_last = -1;     // as TokenRules
};

// Gives the fields of CompletionOptions among `fields` these values, but for those that `said` has from elsewhere; returns
// the keys that were set. Errors of Fields::set.
Result<std::vector<std::string>> take_defaults(const SamplingDefaults& defaults, Fields& fields,
                                               const Fields& said);

}  // namespace quern::infer
