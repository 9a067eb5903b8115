// What tasks of encoders have in common: a model with the head that is to learn, and rows to learn from.
#pragma once

#include "encoding/encoder_objective.h"
#include "encoding/labelled_rows.h"
#include "infer/encoder_session.h"
#include "model/new_head.h"
#include "recipes/tuning/task.h"

namespace quern::recipes {

// What is known before the model is opened: its tokenizer and its config as its files have them.
struct EncoderBase {
  text::Tokenizer tokenizer;
  model::ModelConfig config;
  int64_t longest = 0;  // tokens of a text
};
// invalid_argument where train.sequence is longer than the model reads; conflict for a model of another kind.
Result<EncoderBase> open_encoder_base(const TuneConfig& config);
// invalid_argument where train.sequence is more than `positions`; conflict where the tokenizer has more tokens than a model in
// `from` knows.
Result<void> check_sequence(int64_t sequence, int64_t positions);
Result<void> check_tokenizer(const std::string& from, const text::Tokenizer& tokenizer, int64_t vocab_size);

// The rows at `examples`. Those that are refused later are counted with them.
Result<encoding::LabelledRows> open_rows(const TuneConfig& config, encoding::RefusedRows& refused);
// invalid_argument where nothing is left to learn from.
Result<void> check_left(size_t examples, const encoding::RefusedRows& refused);
// Says how many texts were cut, to `longest` tokens.
void warn_of_cuts(int64_t cut, int64_t longest);

// Opens the model with this head, whose new parts are told.
Result<std::shared_ptr<infer::LoadedEncoder>> open_learner(const TuneConfig& config, EncoderBase base,
                                                           const model::NewHead& head);

// What learns, whatever model it is: `owner` keeps it.
struct RowLearner {
  std::shared_ptr<const void> owner;
  text::Tokenizer tokenizer;
  std::unique_ptr<train::Trainee> trainee;
  bool dropout = false;
};
// A run of criteria over it. `held_out` may be null.
EncoderTuning begin_rows(const TuneConfig& config, RowLearner learner,
                         std::unique_ptr<encoding::EncoderCriterion> learnt,
                         std::unique_ptr<encoding::EncoderCriterion> held_out, bool by_length, uint64_t key);
// The same of an encoder.
EncoderTuning begin_encoder(const TuneConfig& config, const std::shared_ptr<infer::LoadedEncoder>& learner,
                            std::unique_ptr<encoding::EncoderCriterion> learnt,
                            std::unique_ptr<encoding::EncoderCriterion> held_out, bool by_length,
                            uint64_t key);

}  // namespace quern::recipes
