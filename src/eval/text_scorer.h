// Runs one model, or two side by side, over the windows of a text and scores its tokens. Nothing is stored but
// the scores: the logits of two models meet in memory, slice by slice.
#pragma once

#include <span>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/evaluation_text.h"
#include "eval/statistics.h"
#include "eval/token_scores.h"
#include "model/decoder.h"

namespace quern::eval {

// The mean after each window: how an estimate settles.
struct RunningEstimate {
  int64_t tokens = 0;  // scored so far
  Estimate loss;       // nats per token
};

struct ScoredText {
  std::vector<TokenScore> tokens;
  std::vector<RunningEstimate> running;  // one per window
  int64_t bytes = 0;                     // of UTF-8 that the scored tokens stand for
  double seconds = 0.0;
};

struct ScoringOptions {
  WindowOptions windows;
  // The logits of one slice of rows hold at most this many bytes, for each model; at least one row.
  int64_t slice_bytes = int64_t{32} << 20;
};

// Whether `model` can run windows of the text: invalid_argument when the context is longer than it has positions, conflict
// when the text has tokens outside its vocabulary.
Result<void> check_text_fits(const EvaluationText& text, const WindowOptions& windows,
                             const model::Decoder& model);

// Scores what windows_over() selects. With `base`, compares with it as well. Errors: those of windows_over and
// check_text_fits; conflict when the vocabularies differ in size; diverged when logits are no numbers. Throws
// `cancelled` as throw_if_interrupted() does.
Result<ScoredText> score_text(const EvaluationText& text, const ScoringOptions& options,
                              const model::Decoder& model, const model::Decoder* base, Progress& progress);

}  // namespace quern::eval
