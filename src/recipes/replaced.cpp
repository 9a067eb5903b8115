#include "recipes/replaced.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "base/units.h"
#include "encoding/replaced_tokens.h"
#include "recipes/encoders.h"
#include "recipes/text_learning.h"

namespace quern::recipes {

namespace {

using model::Encoder;
using model::Head;

// The discriminator with a share of its width: fewer heads as wide as its own, and a narrower MLP.
model::ModelConfig smaller(model::ModelConfig config, double share) {
  const auto part = [&](int64_t whole) {
    return std::max<int64_t>(1, std::llround(share * static_cast<double>(whole)));
  };
  config.heads = config.kv_heads = part(config.heads);
  config.hidden = config.heads * config.head_dim;
  config.intermediate = part(config.intermediate);
  return config;
}

Result<Encoder> make_generator(const PretrainConfig& config, const MaskedConfig& masks,
                               const model::ModelConfig& discriminator) {
  // Other draws than those of the discriminator.
  const model::NewHead words{.head = Head::masked_lm, .seed = config.train.seed + 1};
  if (!masks.generator.empty()) {
    QUERN_TRY(Encoder model, open_encoder(masks.generator, words, config.train.dtype));
    if (model.config().vocab_size == discriminator.vocab_size) return model;
    return make_error(ErrorCode::conflict,
                      fmt::format("the generator has a vocabulary of {}, and the discriminator one of {}",
                                  model.config().vocab_size, discriminator.vocab_size),
                      "choose two models of one tokenizer");
  }
  QUERN_TRY(const model::ModelConfig wanted,
            model::with_head(smaller(discriminator, masks.generator_size), words));
  return Encoder::create(wanted, words.seed);
}

}  // namespace

Result<train::TrainSummary> pretrain_replaced(const PretrainConfig& config, MaskedConfig masks,
                                              const TrainHow& how) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(config.tokenizer));
  QUERN_TRY(encoding::MaskTokens tokens, encoding::MaskTokens::of(tokenizer));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  QUERN_TRY(const data::TokenCorpus corpus, prepare_corpus(config, tokenizer, false, *how.progress));
  QUERN_TRY(Encoder discriminator, make_text_encoder(config, tokenizer, Head::discriminator));
  QUERN_TRY(Encoder generator, make_generator(config, masks, discriminator.config()));
  if (masks.shared_embeddings) {
    if (Result<void> shared = generator.share_embeddings(discriminator); !shared.ok()) {
      Error error = std::move(shared).error();
      error.hint = "mlm.shared_embeddings=false keeps them apart";
      return error;
    }
  }
  const int64_t longest = config.train.sequence_lengths.max();
  QUERN_CHECK(check_vocabulary(discriminator.config().vocab_size, tokenizer));
  for (const Encoder* model : {&discriminator, &generator})
    QUERN_CHECK(check_length("train.sequence", longest, model->config().max_positions));
  log::info("train", "the generator is {} wide and has {} parameters{}", generator.config().hidden,
            human_count(static_cast<double>(nn::parameter_count(generator))),
            masks.shared_embeddings ? ", shared tables among them" : "");
  masks.options.seed = config.train.seed;
  const auto criterion = [&](const data::TokenDataset& documents) {
    return std::make_unique<encoding::ReplacedTokens>(generator, discriminator, tokens,
                                                      encoding::texts_of(documents, tokenizer, longest),
                                                      masks.options, masks.discriminator_weight);
  };
  TextLearner learner{
      .task = "mlm",
      .trainee = std::make_unique<encoding::GeneratorAndDiscriminator>(generator, discriminator),
      .learnt = criterion(corpus.train),
      .held_out = nullptr,
      .dropout = std::max(discriminator.config().dropout, generator.config().dropout) > 0.0,
      .settings = fields_of(masks).to_json(),
      .beneath = {encoding::GeneratorAndDiscriminator::kGenerator}};
  if (corpus.validation.token_count() > 0) learner.held_out = criterion(corpus.validation);
  return learn_texts(config, tokenizer, corpus, std::move(learner), how);
}

}  // namespace quern::recipes
