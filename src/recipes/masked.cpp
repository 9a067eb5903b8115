#include "recipes/masked.h"

#include "base/log.h"
#include "model/block_spec.h"
#include "model/family.h"
#include "model/load.h"
#include "recipes/text_learning.h"

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

}  // namespace

Result<train::TrainSummary> pretrain_masked(PretrainConfig config, MaskedConfig masks, const TrainHow& how) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(config.tokenizer));
  QUERN_TRY(encoding::MaskTokens tokens, encoding::MaskTokens::of(tokenizer));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  QUERN_TRY(const data::TokenCorpus corpus, prepare_corpus(config, tokenizer, false, *how.progress));
  QUERN_TRY(model::Encoder model, make_encoder(config, tokenizer));
  const int64_t longest = config.train.sequence_lengths.max();
  QUERN_CHECK(check_vocabulary(model.config().vocab_size, tokenizer));
  QUERN_CHECK(check_length("train.sequence", longest, model.config().max_positions));
  masks.options.seed = config.train.seed;
  const auto criterion = [&](const data::TokenDataset& documents) {
    return std::make_unique<encoding::MaskedWords>(
        model, tokens, encoding::texts_of(documents, tokenizer, longest), masks.options);
  };
  TextLearner learner{.task = "mlm",
                      .trainee = std::make_unique<train::WholeEncoder>(model),
                      .learnt = criterion(corpus.train),
                      .held_out = nullptr,
                      .dropout = model.config().dropout > 0.0,
                      .settings = fields_of(masks).to_json()};
  if (corpus.validation.token_count() > 0) learner.held_out = criterion(corpus.validation);
  return learn_texts(config, tokenizer, corpus, std::move(learner), how);
}

}  // namespace quern::recipes
