#include "text/unigram_trainer.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/byte_level_document.h"
#include "text/unigram_learner.h"
#include "text/word_counter.h"

namespace quern::text {

namespace {
constexpr const char* kMark = "\u2581";
// Far below every piece, so that text that looks like "<0x0A>" is not taken for a byte.
constexpr double kByteScore = -1000;

std::vector<TokenRole> roles_of(const UnigramTrainOptions& options) {
  return {{"bos_token", options.bos_token},
          {"eos_token", options.eos_token},
          {"unk_token", options.unk_token},
          {"pad_token", options.pad_token}};
}

Json post_processor_of(const UnigramTrainOptions& options) {
  if (!options.bos_token && !options.eos_token) return {};
  std::vector<std::string> single, pair;
  for (const char* text : {"$A", "$B"}) {
    if (options.bos_token) pair.push_back(*options.bos_token);
    pair.emplace_back(text);
    if (options.eos_token) pair.push_back(*options.eos_token);
    if (single.empty()) single = pair;
  }
  return surrounding_template(single, pair, options.special_tokens);
}

Json decoder_of(const UnigramTrainOptions& options) {
  const Json metaspace = {
      {"type", "Metaspace"}, {"replacement", kMark}, {"prepend_scheme", "always"}, {"split", true}};
  if (!options.byte_fallback) return metaspace;
  return {{"type", "Sequence"}, {"decoders", Json::array({{{"type", "ByteFallback"}}, metaspace})}};
}

Json document_of(const UnigramTrainOptions& options) {
  std::vector<SpecialToken> specials;
  for (const std::string& token : options.special_tokens) specials.push_back({token, true});
  const Json normalizers =
      Json::array({{{"type", "Nmt"}},
                   {{"type", "NFKC"}},
                   {{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}},
                   {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", kMark}}});
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens_json(specials)},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
          {"pre_tokenizer",
           {{"type", "Metaspace"}, {"replacement", kMark}, {"prepend_scheme", "always"}, {"split", true}}},
          {"post_processor", post_processor_of(options)},
          {"decoder", decoder_of(options)},
          {"model", nullptr}};
}

Json model_of(const UnigramTrainOptions& options, const std::vector<ScoredPiece>& pieces) {
  Json vocab = Json::array();
  const auto add = [&](const std::string& piece, double score) {
    vocab.push_back(Json::array({piece, score}));
  };
  for (const std::string& token : options.special_tokens) add(token, 0);
  for (int byte = 0; options.byte_fallback && byte < 256; ++byte)
    add(fmt::format("<0x{:02X}>", byte), kByteScore);
  for (const ScoredPiece& piece : pieces) add(piece.text, piece.score);
  const auto unk = std::ranges::find(options.special_tokens, options.unk_token);
  return {{"type", "Unigram"},
          {"unk_id", unk - options.special_tokens.begin()},
          {"vocab", std::move(vocab)},
          {"byte_fallback", options.byte_fallback}};
}

Result<void> check_settings(const UnigramTrainOptions& options) {
  const auto invalid = [](std::string message) {
    return make_error(ErrorCode::invalid_argument, std::move(message));
  };
  if (!(options.character_coverage > 0 && options.character_coverage <= 1))
    return invalid(fmt::format("a character coverage of {}: expected more than 0, at most 1",
                               options.character_coverage));
  if (!(options.shrinking_factor > 0 && options.shrinking_factor < 1))
    return invalid(
        fmt::format("a shrinking factor of {}: expected one between 0 and 1", options.shrinking_factor));
  if (options.max_piece_length < 1 || options.max_piece_length > 1000)
    return invalid(
        fmt::format("a longest piece of {} characters: expected 1 to 1000", options.max_piece_length));
  if (options.n_sub_iterations < 1 || options.n_sub_iterations > 1000)
    return invalid(fmt::format("{} iterations in a round: expected 1 to 1000", options.n_sub_iterations));
  if (options.seed_size < options.vocab_size || options.seed_size > 1 << 26)
    return invalid(fmt::format("{} seeds for a vocabulary of {}: expected {} to {}", options.seed_size,
                               options.vocab_size, options.vocab_size, 1 << 26));
  return {};
}
}  // namespace

Result<Tokenizer> train_unigram(const TextSource& next, const UnigramTrainOptions& options,
                                Progress& progress) {
  QUERN_CHECK(check_special_tokens(options.special_tokens, roles_of(options)));
  const auto others = static_cast<int64_t>(options.special_tokens.size()) + (options.byte_fallback ? 256 : 0);
  QUERN_CHECK(
      check_vocab_size(options.vocab_size, others + 1,
                       fmt::format("{} special tokens{} and a character", options.special_tokens.size(),
                                   options.byte_fallback ? ", 256 bytes" : "")));
  QUERN_CHECK(check_settings(options));
  Json document = document_of(options);
  QUERN_TRY(const PreTokenizers pre_tokenizers, make_pre_tokenizers(document["pre_tokenizer"], false));
  QUERN_TRY(const Normalizers normalizers, make_normalizers(document["normalizer"]));
  WordCounts words;
  {
    const ProgressScope scope(progress, "count words", 0, "bytes");
    words = count_words(next, {normalizers, pre_tokenizers, true}, progress);
  }
  if (words.words.size() == 0)
    return make_error(ErrorCode::invalid_argument, "the corpus to train a tokenizer on is empty");
  QUERN_TRY(const std::vector<ScoredPiece> pieces,
            learn_unigram(words,
                          {.vocab_size = options.vocab_size,
                           .reserved = others,
                           .max_piece_length = static_cast<uint32_t>(options.max_piece_length),
                           .seed_size = options.seed_size,
                           .shrinking_factor = options.shrinking_factor,
                           .n_sub_iterations = static_cast<int32_t>(options.n_sub_iterations),
                           .character_coverage = options.character_coverage},
                          progress));
  document["model"] = model_of(options, pieces);
  return Tokenizer::from_json(document.dump(), training_config_json(roles_of(options), ""));
}

}  // namespace quern::text
