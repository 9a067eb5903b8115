// What tasks that learn from plain text, but for `pretrain`, have in common: an encoder, or an encoder-decoder, learns from the
// documents of a corpus one by one.
#pragma once

#include <memory>
#include <string_view>

#include "encoding/encoder_criterion.h"
#include "model/encoder.h"
#include "recipes/pretrain.h"
#include "train/trainee.h"

namespace quern::recipes {

// Of a folder, or of a GGUF file.
Result<text::Tokenizer> open_tokenizer(const std::filesystem::path& path);

// conflict where the tokenizer has more tokens than a model of `vocab_size`.
Result<void> check_vocabulary(int64_t vocab_size, const text::Tokenizer& tokenizer);
// invalid_argument where `length`, of a text that is named `what`, is more than the positions that a model has.
Result<void> check_length(std::string_view what, int64_t length, int64_t positions,
                          std::string_view hint = "shorten train.sequence, or raise model.max_positions");

// An encoder with this head: a new one as `config` says, or one to go on with, whose new parts are told.
Result<model::Encoder> make_text_encoder(const PretrainConfig& config, const text::Tokenizer& tokenizer,
                                         model::Head head);

// What a run learns with, and how it is recorded.
struct TextLearner {
  std::string_view task;
  std::unique_ptr<train::Trainee> trainee;
  std::unique_ptr<encoding::EncoderCriterion> learnt, held_out;  // the second may be null
  bool dropout = false;
  nlohmann::ordered_json settings;  // of the section of the task, which is named as it is
  std::vector<std::string> beneath =
      {};  // folders of other models in that of the trainee: they have a tokenizer, too
};

// Trains in the folder of `config`, and records it. Precondition: the folder is locked, and may be written.
Result<train::TrainSummary> learn_texts(PretrainConfig config, const text::Tokenizer& tokenizer,
                                        const data::TokenCorpus& corpus, TextLearner learner,
                                        const TrainHow& how);

}  // namespace quern::recipes
