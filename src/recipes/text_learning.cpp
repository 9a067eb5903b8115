#include "recipes/text_learning.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "encoding/encoder_objective.h"
#include "formats/gguf/archive.h"
#include "infer/language.h"
#include "model/block_spec.h"
#include "model/family.h"
#include "recipes/encoders.h"
#include "recipes/training_run.h"

namespace quern::recipes {

Result<text::Tokenizer> open_tokenizer(const std::filesystem::path& path) {
  if (!formats::is_gguf(path)) return text::Tokenizer::load(path.string());
  QUERN_TRY(infer::Language language, infer::open_language(path));
  return std::move(language.tokenizer);
}

Result<model::Encoder> make_text_encoder(const PretrainConfig& config, const text::Tokenizer& tokenizer,
                                         model::Head head) {
  const model::NewHead outputs{.head = head, .seed = config.train.seed};
  if (!config.from.empty()) return open_encoder(config.from, outputs, config.train.dtype);
  model::ModelConfig wanted = config.model;
  QUERN_CHECK(model::check_kind(wanted, model::Kind::encoder));
  if (wanted.vocab_size == 0) wanted.vocab_size = tokenizer.vocab_size();
  if (wanted.pad_token < 0) wanted.pad_token = tokenizer.special_ids().pad.value_or(-1);
  if (wanted.max_positions == 0) wanted.max_positions = config.train.sequence_lengths.max();
  QUERN_TRY(const model::ModelConfig full, model::with_head(wanted.resolved(), outputs));
  return model::Encoder::create(full, config.train.seed);
}

Result<void> check_vocabulary(int64_t vocab_size, const text::Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() <= vocab_size) return {};
  return make_error(ErrorCode::conflict,
                    fmt::format("the tokenizer has {} tokens, but the model has a vocabulary of {}",
                                tokenizer.vocab_size(), vocab_size),
                    "leave model.vocab_size out to take the tokenizer's");
}

Result<void> check_length(std::string_view what, int64_t length, int64_t positions, std::string_view hint) {
  if (length <= positions) return {};
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("{} is {}, but the model has {} positions", what, length, positions),
                    std::string(hint));
}

Result<train::TrainSummary> learn_texts(PretrainConfig config, const text::Tokenizer& tokenizer,
                                        const data::TokenCorpus& corpus, TextLearner learner,
                                        const TrainHow& how) {
  log::info("train", "{} parameters, {} texts, {} training and {} validation tokens",
            human_count(static_cast<double>(nn::parameter_count(learner.trainee->parameters()))),
            learner.learnt->size(), human_count(static_cast<double>(corpus.train.token_count())),
            human_count(static_cast<double>(corpus.validation.token_count())));
  auto objective = std::make_unique<encoding::EncoderObjective>(
      std::move(learner.learnt), std::move(learner.held_out),
      encoding::EncoderTraining{.batch = config.train.batch_sizes.max(),
                                .micro_batch = config.train.micro_batch,
                                .checkpointing = config.train.checkpointing,
                                .seed = config.train.seed,
                                .dropout = learner.dropout,
                                .key = corpus.train.key()});
  train::TrainHooks hooks;
  hooks.save_extras = [&](const std::filesystem::path& folder) -> Result<void> {
    for (const std::string& other : learner.beneath) QUERN_CHECK(tokenizer.save(folder / other));
    return tokenizer.save(folder);
  };
  QUERN_TRY(train::TrainSummary summary, run_training(std::move(learner.trainee), std::move(objective),
                                                      config.train, config.out, std::move(hooks), how));
  nlohmann::ordered_json settings = {{"task", learner.task}};
  settings.update(fields_of(config).to_json());
  settings[std::string(learner.task)] = std::move(learner.settings);
  QUERN_CHECK(write_run_record(config.out, settings,
                               {{"tokenizer", hash128(tokenizer.to_json()).hex()},
                                {"train_tokens", fmt::format("{:016x}", corpus.train.key())}},
                               figures_of(summary)));
  return summary;
}

}  // namespace quern::recipes
