#include "recipes/masked.h"

#include "recipes/text_learning.h"
#include "recipes/tuning/settings.h"

namespace quern::recipes {

void MaskedConfig::fields(Fields& f) {
  f.add("objective", objective,
        "words: tell those that are hidden; replaced: tell tokens that a generator put in their place "
        "(ELECTRA)",
        {{"words", Objective::words}, {"replaced", Objective::replaced}});
  f.add("share", options.share, "of the tokens, those that are asked for").range(0.01, 0.9);
  f.add("hidden", options.hidden, "of these, the share that shows the mask").range(0, 1);
  f.add("replaced", options.replaced, "the share that shows a random token; the rest shows itself")
      .range(0, 1);
  f.add("whole_words", options.whole_words, "ask for all tokens of a word, or for none");
  f.add("generator", generator, "replaced: folder of a generator to go on with; empty: a new one");
  f.add("generator_size", generator_size, "replaced: heads and width of a new generator, as a share")
      .range(0.01, 1);
  f.add("shared_embeddings", shared_embeddings, "replaced: generator and discriminator have the same tables");
  f.add("discriminator_weight", discriminator_weight, "replaced: of its loss, beside the generator's")
      .at_least(0);
}

Result<void> MaskedConfig::finish(const Fields& loaded) {
  if (objective == Objective::words) {
    return refuse_settings(loaded, "mlm with the objective words",
                           {"mlm.generator", "mlm.shared_embeddings", "mlm.discriminator_weight"});
  }
  // All that are asked for are hidden, as in the paper.
  if (!loaded.is_set("mlm.hidden")) options.hidden = 1.0;
  if (!loaded.is_set("mlm.replaced")) options.replaced = 0.0;
  return {};
}

Result<train::TrainSummary> pretrain_masked(const PretrainConfig& config, MaskedConfig masks,
                                            const TrainHow& how) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(config.tokenizer));
  QUERN_TRY(encoding::MaskTokens tokens, encoding::MaskTokens::of(tokenizer));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  QUERN_TRY(const data::TokenCorpus corpus, prepare_corpus(config, tokenizer, false, *how.progress));
  QUERN_TRY(model::Encoder model, make_text_encoder(config, tokenizer, model::Head::masked_lm));
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
