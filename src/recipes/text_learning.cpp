#include "recipes/text_learning.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "encoding/encoder_objective.h"
#include "formats/gguf/archive.h"
#include "infer/language.h"
#include "recipes/training_run.h"

namespace quern::recipes {

Result<text::Tokenizer> open_tokenizer(const std::filesystem::path& path) {
  if (!formats::is_gguf(path)) return text::Tokenizer::load(path.string());
  QUERN_TRY(infer::Language language, infer::open_language(path));
  return std::move(language.tokenizer);
}

Result<void> check_vocabulary(int64_t vocab_size, const text::Tokenizer& tokenizer) {
  if (tokenizer.vocab_size() <= vocab_size) return {};
  return make_error(ErrorCode::conflict,
                    fmt::format("the tokenizer has {} tokens, but the model has a vocabulary of {}",
                                tokenizer.vocab_size(), vocab_size),
                    "leave model.vocab_size out to take the tokenizer's");
}

Result<void> check_length(std::string_view what, int64_t length, int64_t positions) {
  if (length <= positions) return {};
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("{} is {}, but the model has {} positions", what, length, positions),
                    "shorten train.sequence, or raise model.max_positions");
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
  hooks.save_extras = [&](const std::filesystem::path& folder) { return tokenizer.save(folder); };
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
