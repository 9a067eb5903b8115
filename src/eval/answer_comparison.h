// Two models over the answers of prepared examples: which of them gives each the higher probability.
#pragma once

#include <cstdint>
#include <optional>

#include "base/progress.h"
#include "base/result.h"
#include "data/token_dataset.h"
#include "eval/statistics.h"
#include "model/decoder.h"

namespace quern::eval {

// Losses are in nats per token that is learnt. Errors are over examples, as of independent draws; those of differences are
// paired, and so far smaller than those of the losses.
struct AnswerComparison {
  int64_t examples = 0;  // a pair counts once
  int64_t tokens = 0;
  Estimate base_loss, tuned_loss;  // the mean over examples of their means over tokens
  Estimate difference;             // tuned - base
  Estimate wins;  // share of the examples whose loss is lower in the tuned model; a tie is half a win
  // Of pairs alone. The losses above are then those of preferred answers.
  struct Pairs {
    Estimate base_accuracy, tuned_accuracy;  // share of the pairs whose preferred answer has the higher mean
                                             // log-probability per token
    Estimate
        moved;  // share whose preferred answer gained more than the other one, in log-probability: DPO's accuracy
    Estimate margin;  // by how much: nats
  };
  std::optional<Pairs> pairs = {};
};

// conflict where examples hold tokens that a model has not, or are longer than it has positions; invalid_argument for a
// file that holds text. A model's adapter counts (Decoder::set_adapter).
Result<AnswerComparison> compare_answers(const data::TokenDataset& examples, const model::Decoder& base,
                                         const model::Decoder& tuned, Progress& progress = null_progress());

}  // namespace quern::eval
