#include "recipes/denoise.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "model/block_spec.h"
#include "model/family.h"
#include "model/load.h"
#include "recipes/encoder_decoders.h"
#include "recipes/text_learning.h"

namespace quern::recipes {

using encoding::Corruption;

void DenoiseConfig::fields(Fields& f) {
  f.add("corruption", form,
        "spans: sentinels stand for them (T5); infilling: masks do, and sentences change places",
        {{"auto", Form::automatic}, {"spans", Form::spans}, {"infilling", Form::infilling}});
  f.add("share", share, "of the tokens, those that are hidden; 0: 0.15 of spans, 0.3 of infilling")
      .range(0, 0.9);
  f.add("mean_span", mean_span, "tokens that are hidden together, on average").range(1, 100);
  f.add("shuffle_sentences", shuffle, "infilling: sentences change places");
}

encoding::DenoiseOptions DenoiseConfig::options(std::string_view family, uint64_t seed) const {
  encoding::DenoiseOptions options{.mean_span = mean_span, .shuffle = shuffle, .seed = seed};
  const bool infills = form == Form::infilling || (form == Form::automatic && family == "bart");
  options.corruption = infills ? Corruption::infilling : Corruption::spans;
  options.share = share > 0.0 ? share : infills ? 0.3 : 0.15;
  return options;
}

namespace {

Result<model::EncoderDecoder> make_model(const PretrainConfig& config, const text::Tokenizer& tokenizer,
                                         int64_t longest_target) {
  if (!config.from.empty()) return open_encoder_decoder(config.from, config.train.dtype);
  model::ModelConfig wanted = config.model;
  QUERN_CHECK(model::check_kind(wanted, model::Kind::encoder_decoder));
  const text::SpecialIds& ids = tokenizer.special_ids();
  if (wanted.vocab_size == 0) wanted.vocab_size = tokenizer.vocab_size();
  if (wanted.max_positions == 0)
    wanted.max_positions = std::max(config.train.sequence_lengths.max(), longest_target);
  if (wanted.pad_token < 0) wanted.pad_token = ids.pad.value_or(-1);
  if (wanted.bos_token < 0) wanted.bos_token = ids.bos.value_or(-1);
  if (wanted.eos_tokens.empty() && ids.eos) wanted.eos_tokens = {*ids.eos};
  // What both were published with: BART begins with the end of a text, T5 with padding.
  if (wanted.start_token < 0)
    wanted.start_token = (wanted.family == "bart" ? ids.eos : ids.pad ? ids.pad : ids.eos).value_or(-1);
  QUERN_TRY(model::EncoderDecoder model, model::EncoderDecoder::create(wanted, config.train.seed));
  hold_logit_bias(model);
  return model;
}

// Texts of which something can be hidden and something be left.
std::vector<std::vector<int32_t>> texts_to_denoise(const data::TokenDataset& documents, int64_t longest) {
  std::vector<std::vector<int32_t>> texts = encoding::cut_texts(documents, longest);
  const auto short_ones = std::erase_if(texts, [](const auto& text) { return text.size() < 2; });
  if (short_ones > 0) log::warn("train", "{} texts of one token are left out", short_ones);
  return texts;
}

}  // namespace

Result<train::TrainSummary> pretrain_denoising(PretrainConfig config, DenoiseConfig noise,
                                               const TrainHow& how) {
  QUERN_TRY(const text::Tokenizer tokenizer, open_tokenizer(config.tokenizer));
  model::ModelConfig known = config.model;
  if (!config.from.empty()) {
    QUERN_TRY(known, model::load_config(config.from));
  }
  QUERN_CHECK(model::check_kind(known, model::Kind::encoder_decoder));
  const encoding::DenoiseOptions options = noise.options(known.family, config.train.seed);
  QUERN_TRY(const encoding::NoiseTokens tokens, encoding::NoiseTokens::of(tokenizer, options.corruption));
  const int64_t sequence = config.train.sequence_lengths.max();
  QUERN_TRY(const encoding::DenoisedLengths lengths, encoding::denoised_lengths(sequence, tokens, options));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(config.out));
  QUERN_CHECK(refuse_to_overwrite(config.out, how));
  QUERN_TRY(const data::TokenCorpus corpus, prepare_corpus(config, tokenizer, false, *how.progress));
  QUERN_TRY(model::EncoderDecoder model, make_model(config, tokenizer, lengths.target));
  QUERN_CHECK(check_vocabulary(model.config().vocab_size, tokenizer));
  QUERN_CHECK(check_length("train.sequence", sequence, model.encoder().config().max_positions));
  QUERN_CHECK(check_length("the longest text to write", lengths.target, model.config().max_positions));
  std::vector<std::vector<int32_t>> learnt = texts_to_denoise(corpus.train, lengths.text),
                                    held_out = texts_to_denoise(corpus.validation, lengths.text);
  if (learnt.empty()) {
    return make_error(ErrorCode::invalid_argument, "no text of two tokens or more is left to learn from",
                      "give longer texts under data.inputs");
  }
  const auto criterion = [&](std::vector<std::vector<int32_t>> texts) {
    return std::make_unique<encoding::DenoisedTexts>(model, tokens, std::move(texts), options);
  };
  TextLearner learner{.task = "denoise",
                      .trainee = std::make_unique<train::WholeEncoderDecoder>(model),
                      .learnt = criterion(std::move(learnt)),
                      .held_out = nullptr,
                      .dropout = model.config().dropout > 0.0,
                      .settings = fields_of(noise).to_json()};
  if (!held_out.empty()) learner.held_out = criterion(std::move(held_out));
  return learn_texts(config, tokenizer, corpus, std::move(learner), how);
}

}  // namespace quern::recipes
