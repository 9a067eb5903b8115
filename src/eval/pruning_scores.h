// How much the parts of a decoder matter, for those who leave some of them out (convert/prune.h): by their weights alone, or
// by what they do over a text.
#pragma once

#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/evaluation_text.h"
#include "model/decoder.h"

namespace quern::eval {

// Larger matters more. Scores compare within a layer.
struct PruningScores {
  std::vector<std::vector<double>> channels =
      {};  // [layers][channels of the MLP]; empty for mixtures of experts
  std::vector<std::vector<double>> groups =
      {};  // [layers][kv_heads]: a key head with the queries that share it
};

// By weights: the norm of all those that a channel or a group of heads has, into it and out of it.
PruningScores scores_of_weights(const model::Decoder& model);

// By what happens over the windows of `text`: the root mean square of what a channel or a group of heads adds to the state
// of a token. Errors of windows_over and check_text_fits; diverged when states are no numbers. Throws `cancelled` as
// throw_if_interrupted() does.
Result<PruningScores> scores_over_text(const model::Decoder& model, const EvaluationText& text,
                                       const WindowOptions& windows, Progress& progress);

}  // namespace quern::eval
