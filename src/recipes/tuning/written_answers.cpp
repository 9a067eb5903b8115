// task: sft of an encoder-decoder: the answers of rows, in sight of what is asked.
#include "encoding/pair_rows.h"
#include "encoding/written_texts.h"
#include "infer/language.h"
#include "nn/learn_only.h"
#include "recipes/encoder_decoders.h"
#include "recipes/tuning/encoder_tuning.h"
#include "recipes/tuning/tasks.h"

namespace quern::recipes {

namespace {

struct AnsweringModel {
  text::Tokenizer tokenizer;
  model::EncoderDecoder model;
};

// What sft has for models that go on from a text.
Result<void> check_settings(const TuneConfig& config) {
  if (config.adapter.method != AdapterConfig::Method::none) {
    return make_error(ErrorCode::unsupported,
                      "an encoder-decoder learns as a whole, and adapter.* asks for an adapter beside it",
                      "drop these settings, or add adapter.method=none");
  }
  if (config.label_smoothing == 0.0 && config.embedding_noise == 0.0) return {};
  return make_error(ErrorCode::unsupported, "label_smoothing and embedding_noise are not of encoder-decoders",
                    "leave them at 0");
}

}  // namespace

Result<EncoderTuning> learn_to_answer(const TuneConfig& config) {
  QUERN_CHECK(check_settings(config));
  QUERN_TRY(infer::Language language, infer::open_language(config.from));
  QUERN_TRY(model::EncoderDecoder opened, open_encoder_decoder(config.from, config.train.dtype));
  const int64_t positions = opened.encoder().config().max_positions,
                longest = config.train.sequence_lengths.max();
  if (config.chosen.sequence) QUERN_CHECK(check_sequence(longest, positions));
  QUERN_CHECK(check_tokenizer(config.from, language.tokenizer, opened.config().vocab_size));
  if (!config.learn.empty()) QUERN_CHECK(nn::learn_only(opened, config.learn));
  hold_logit_bias(opened);
  const auto learner =
      std::make_shared<AnsweringModel>(AnsweringModel{std::move(language.tokenizer), std::move(opened)});
  const encoding::PairLimits limits{.source = std::min(longest, positions),
                                    .target = std::min(longest, learner->model.config().max_positions)};
  encoding::RefusedRows refused;
  QUERN_TRY(const encoding::LabelledRows rows, open_rows(config, refused));
  QUERN_TRY(encoding::PairSet set, encoding::read_pairs(rows, learner->tokenizer, limits, refused));
  QUERN_CHECK(check_left(set.train.size(), refused));
  warn_of_cuts(set.cut, limits.source);
  const auto criterion = [&](std::vector<encoding::TextPair> pairs) {
    return std::make_unique<encoding::AnsweredTexts>(learner->model, std::move(pairs));
  };
  EncoderTuning result =
      begin_rows(config,
                 {learner, learner->tokenizer, std::make_unique<train::WholeEncoderDecoder>(learner->model),
                  learner->model.config().dropout > 0.0},
                 criterion(std::move(set.train)), criterion(std::move(set.validation)), true, rows.key);
  result.first = set.first;
  result.rows = rows.count;
  result.refused = std::move(refused);
  return result;
}

}  // namespace quern::recipes
