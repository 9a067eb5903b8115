#include "recipes/masked.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "encoding/encoder_objective.h"
#include "formats/gguf/archive.h"
#include "infer/language.h"
#include "model/block_spec.h"
#include "model/family.h"
#include "model/load.h"
#include "recipes/training_run.h"
#include "text/tokenizer.h"

namespace quern::recipes {

namespace fs = std::filesystem;

void MaskedConfig::fields(Fields& f) {
  f.add("share", options.share, "of the tokens, those that are asked for").range(0.01, 0.9);
  f.add("hidden", options.hidden, "of these, the share that shows the mask").range(0, 1);
  f.add("replaced", options.replaced, "the share that shows a random token; the rest shows itself")
      .range(0, 1);
  f.add("whole_words", options.whole_words, "ask for all tokens of a word, or for none");
}

namespace {

// Of a folder, or of a GGUF file.
Result<text::Tokenizer> open_tokenizer(const fs::path& path) {
  if (!formats::is_gguf(path)) return text::Tokenizer::load(path.string());
  QUERN_TRY(infer::Language language, infer::open_language(path));
  return std::move(language.tokenizer);
}

Result<model::Encoder> make_encoder(const PretrainConfig& config, const text::Tokenizer& tokenizer) {
  const model::NewHead words{.head = model::Head::masked_lm, .seed = config.train.seed};
  if (!config.from.empty()) {
    std::vector<std::string> made;
    QUERN_TRY(model::Encoder model,
              model::load_encoder(config.from, words,
                                  {.trainable = true, .compute_dtype = config.train.dtype}, made));
    for (const std::string& name : made)
      log::info("train", "new, since {} has none that fits: {}", config.from, name);
    return model;
  }
  model::ModelConfig wanted = config.model;
  QUERN_CHECK(model::check_kind(wanted, model::Kind::encoder));
  if (wanted.vocab_size == 0) wanted.vocab_size = tokenizer.vocab_size();
  if (wanted.pad_token < 0) wanted.pad_token = tokenizer.special_ids().pad.value_or(-1);
  if (wanted.max_positions == 0) wanted.max_positions = config.train.sequence_lengths.max();
  QUERN_TRY(const model::ModelConfig full, model::with_head(wanted.resolved(), words));
  return model::Encoder::create(full, config.train.seed);
}

Result<void> check_sizes(const model::ModelConfig& config, const text::Tokenizer& tokenizer,
                         int64_t longest) {
  if (tokenizer.vocab_size() > config.vocab_size) {
    return make_error(ErrorCode::conflict,
                      fmt::format("the tokenizer has {} tokens, but the model has a vocabulary of {}",
                                  tokenizer.vocab_size(), config.vocab_size),
                      "leave model.vocab_size out to take the tokenizer's");
  }
  if (longest > config.max_positions) {
    return make_error(
        ErrorCode::invalid_argument,
        fmt::format("train.sequence is {}, but the model has {} positions", longest, config.max_positions),
        "shorten train.sequence, or raise model.max_positions");
  }
  return {};
}

}  // namespace

Result<train::TrainSummary> pretrain_masked(PretrainConfig config, MaskedConfig masks, const TrainHow& how) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(config.tokenizer));
  QUERN_TRY(encoding::MaskTokens tokens, encoding::MaskTokens::of(tokenizer));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  QUERN_TRY(const data::TokenCorpus corpus, prepare_corpus(config, tokenizer, false, *how.progress));
  QUERN_TRY(model::Encoder model, make_encoder(config, tokenizer));
  const int64_t longest = config.train.sequence_lengths.max();
  QUERN_CHECK(check_sizes(model.config(), tokenizer, longest));
  masks.options.seed = config.train.seed;
  const auto criterion = [&](const data::TokenDataset& documents) {
    return std::make_unique<encoding::MaskedWords>(
        model, tokens, encoding::texts_of(documents, tokenizer, longest), masks.options);
  };
  std::unique_ptr<encoding::MaskedWords> learnt = criterion(corpus.train), held_out;
  if (corpus.validation.token_count() > 0) held_out = criterion(corpus.validation);
  log::info("train", "{} parameters, {} texts, {} training and {} validation tokens",
            human_count(static_cast<double>(nn::parameter_count(model))), learnt->size(),
            human_count(static_cast<double>(corpus.train.token_count())),
            human_count(static_cast<double>(corpus.validation.token_count())));
  auto objective = std::make_unique<encoding::EncoderObjective>(
      std::move(learnt), std::move(held_out),
      encoding::EncoderTraining{.batch = config.train.batch_sizes.max(),
                                .micro_batch = config.train.micro_batch,
                                .checkpointing = config.train.checkpointing,
                                .seed = config.train.seed,
                                .dropout = model.config().dropout > 0.0,
                                .key = corpus.train.key()});
  train::TrainHooks hooks;
  hooks.save_extras = [&](const fs::path& folder) { return tokenizer.save(folder); };
  QUERN_TRY(train::TrainSummary summary,
            run_training(std::make_unique<train::WholeEncoder>(model), std::move(objective), config.train,
                         config.out, std::move(hooks), how));
  nlohmann::ordered_json settings = {{"task", "mlm"}};
  settings.update(fields_of(config).to_json());
  settings["mlm"] = fields_of(masks).to_json();
  QUERN_CHECK(write_run_record(config.out, settings,
                               {{"tokenizer", hash128(tokenizer.to_json()).hex()},
                                {"train_tokens", fmt::format("{:016x}", corpus.train.key())}},
                               figures_of(summary)));
  return summary;
}

}  // namespace quern::recipes
