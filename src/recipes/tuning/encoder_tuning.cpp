#include "recipes/tuning/encoder_tuning.h"

#include <fmt/format.h>

#include "base/log.h"
#include "infer/language.h"
#include "model/block_spec.h"
#include "model/load.h"
#include "nn/learn_only.h"
#include "recipes/encoders.h"
#include "recipes/text_learning.h"

namespace quern::recipes {

Result<EncoderBase> open_encoder_base(const TuneConfig& config) {
  QUERN_TRY(infer::Language language, infer::open_language(config.from));
  QUERN_TRY(model::ModelConfig own, model::load_config(config.from));
  QUERN_CHECK(model::check_kind(own, model::Kind::encoder));
  const int64_t longest = config.train.sequence_lengths.max();
  QUERN_CHECK(check_sequence(longest, own.max_positions));
  QUERN_CHECK(check_tokenizer(config.from, language.tokenizer, own.vocab_size));
  return EncoderBase{std::move(language.tokenizer), std::move(own), longest};
}

Result<void> check_sequence(int64_t sequence, int64_t positions) {
  return check_length("train.sequence", sequence, positions, "shorten train.sequence: longer texts are cut");
}

Result<void> check_tokenizer(const std::string& from, const text::Tokenizer& tokenizer, int64_t vocab_size) {
  if (tokenizer.vocab_size() <= vocab_size) return {};
  return make_error(ErrorCode::conflict,
                    fmt::format("{}: the tokenizer has {} tokens, but the model knows {}", from,
                                tokenizer.vocab_size(), vocab_size),
                    "the weights and the tokenizer are of two models");
}

Result<encoding::LabelledRows> open_rows(const TuneConfig& config, encoding::RefusedRows& refused) {
  encoding::RowOptions options{.validation = config.rows.validation, .seed = config.train.seed};
  QUERN_TRY(options.renamed, encoding::parse_renamed(config.rows.rename));
  return encoding::read_labelled_rows(config.examples, options, refused);
}

Result<void> check_left(size_t examples, const encoding::RefusedRows& refused) {
  if (examples > 0) return {};
  return make_error(ErrorCode::invalid_argument, "no row is left to learn from: " + refused.summary(),
                    refused.lines.substr(0, refused.lines.find('\n')));
}

void warn_of_cuts(int64_t cut, int64_t longest) {
  if (cut > 0)
    log::warn("train", "{} texts are longer than {} tokens, and cut there (train.sequence)", cut, longest);
}

Result<std::shared_ptr<infer::LoadedEncoder>> open_learner(const TuneConfig& config, EncoderBase base,
                                                           const model::NewHead& head) {
  QUERN_TRY(model::Encoder model, open_encoder(config.from, head, config.train.dtype));
  if (!config.learn.empty()) QUERN_CHECK(nn::learn_only(model, config.learn));
  return std::make_shared<infer::LoadedEncoder>(
      infer::LoadedEncoder{std::move(base.tokenizer), std::move(model)});
}

EncoderTuning begin_rows(const TuneConfig& config, RowLearner learner,
                         std::unique_ptr<encoding::EncoderCriterion> learnt,
                         std::unique_ptr<encoding::EncoderCriterion> held_out, bool by_length, uint64_t key) {
  EncoderTuning result;
  result.examples = learnt->size();
  auto objective = std::make_unique<encoding::EncoderObjective>(
      std::move(learnt), held_out && held_out->size() > 0 ? std::move(held_out) : nullptr,
      encoding::EncoderTraining{.batch = config.train.batch_sizes.max(),
                                .micro_batch = config.train.micro_batch,
                                .checkpointing = config.train.checkpointing,
                                .by_length = by_length,
                                .seed = config.train.seed,
                                .dropout = learner.dropout,
                                .key = key});
  result.steps_per_epoch = objective->steps_per_epoch();
  result.key = key;
  result.tuning = {std::move(learner.trainee), std::move(objective)};
  result.save_extras = [tokenizer = std::move(learner.tokenizer)](const std::filesystem::path& to) {
    return tokenizer.save(to);
  };
  result.model = std::move(learner.owner);
  return result;
}

EncoderTuning begin_encoder(const TuneConfig& config, const std::shared_ptr<infer::LoadedEncoder>& learner,
                            std::unique_ptr<encoding::EncoderCriterion> learnt,
                            std::unique_ptr<encoding::EncoderCriterion> held_out, bool by_length,
                            uint64_t key) {
  auto trainee = std::make_unique<train::WholeEncoder>(learner->model);
  const bool dropout = learner->model.config().dropout > 0.0;
  return begin_rows(config, {learner, learner->tokenizer, std::move(trainee), dropout}, std::move(learnt),
                    std::move(held_out), by_length, key);
}

}  // namespace quern::recipes
