#include "text/word_piece_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "text/byte_level_document.h"
#include "text/merge_learner.h"
#include "text/unicode.h"
#include "text/word_counter.h"

namespace quern::text {

namespace {
constexpr std::string_view kPrefix = "##";

std::vector<TokenRole> roles() {
  return {{"pad_token", "[PAD]"},
          {"unk_token", "[UNK]"},
          {"cls_token", "[CLS]"},
          {"sep_token", "[SEP]"},
          {"mask_token", "[MASK]"}};
}

template <class OnCharacter>
void for_each_character(std::string_view text, const OnCharacter& on_character) {
  for (size_t at = 0; at < text.size();) {
    const Decoded step = decode_utf8(text.substr(at));
    on_character(step.code_point, at == 0);
    at += step.length;
  }
}

using Alphabet = std::set<char32_t>;

// The most frequent characters; of equally frequent ones those with smaller code points.
Alphabet find_alphabet(const WordCounts& words, const WordPieceTrainOptions& options) {
  std::map<char32_t, int64_t> counts;
  for (uint32_t i = 0; i < words.words.size(); ++i)
    for_each_character(words.words.at(i), [&](char32_t c, bool) { counts[c] += words.counts[i]; });
  for_each_character(options.initial_alphabet,
                     [&](char32_t c, bool) { counts[c] = std::numeric_limits<int64_t>::max(); });
  std::vector<std::pair<char32_t, int64_t>> kept(counts.begin(), counts.end());
  std::ranges::stable_sort(kept, std::greater{}, &std::pair<char32_t, int64_t>::second);
  if (kept.size() > static_cast<size_t>(options.limit_alphabet))
    kept.resize(static_cast<size_t>(options.limit_alphabet));
  Alphabet alphabet;
  for (const auto& [character, count] : kept) alphabet.insert(character);
  return alphabet;
}

// Special tokens, the alphabet, and the part of it that continues words. What is not in the alphabet is left out of
// the words.
MergeStart make_start(const WordCounts& words, const WordPieceTrainOptions& options) {
  const Alphabet alphabet = find_alphabet(words, options);
  Alphabet continuing;
  for (uint32_t i = 0; i < words.words.size(); ++i) {
    for_each_character(words.words.at(i), [&](char32_t c, bool first) {
      if (!first && alphabet.contains(c)) continuing.insert(c);
    });
  }
  MergeStart start{.tokens = options.special_tokens, .spell = {}, .continuing_prefix = std::string(kPrefix)};
  std::map<char32_t, TokenId> ids[2];  // by whether the character begins a word
  const auto add = [&](std::string token, char32_t c) {
    append_utf8(token, c);
    const auto known = std::ranges::find(start.tokens, token);
    const auto id = static_cast<TokenId>(known - start.tokens.begin());
    if (known == start.tokens.end()) start.tokens.push_back(token);
    return id;
  };
  for (const char32_t c : alphabet) ids[1][c] = add("", c);
  for (const char32_t c : continuing) ids[0][c] = add(std::string(kPrefix), c);
  start.spell = [ids](std::string_view word, std::vector<TokenId>& symbols) {
    for_each_character(word, [&](char32_t c, bool first) {
      if (const auto known = ids[first].find(c); known != ids[first].end()) symbols.push_back(known->second);
    });
  };
  return start;
}

Json document_of(const WordPieceTrainOptions& options) {
  std::vector<SpecialToken> specials;
  for (const std::string& token : options.special_tokens) specials.push_back({token, true});
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens_json(specials)},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", true},
            {"strip_accents", nullptr},
            {"lowercase", options.lowercase}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor",
           surrounding_template({"[CLS]", "$A", "[SEP]"}, {"[CLS]", "$A", "[SEP]", "$B:1", "[SEP]:1"},
                                options.special_tokens)},
          {"decoder", {{"type", "WordPiece"}, {"prefix", kPrefix}, {"cleanup", true}}},
          {"model", nullptr}};
}

Json model_of(const std::vector<std::string>& tokens) {
  Json vocab = Json::object();
  Json::object_t& entries = vocab.get_ref<Json::object_t&>();
  for (size_t id = 0; id < tokens.size(); ++id) entries.Container::emplace_back(tokens[id], id);
  return {{"type", "WordPiece"},
          {"unk_token", "[UNK]"},
          {"continuing_subword_prefix", kPrefix},
          {"max_input_chars_per_word", 100},
          {"vocab", std::move(vocab)}};
}
}  // namespace

Result<Tokenizer> train_word_piece(const TextSource& next, const WordPieceTrainOptions& options,
                                   Progress& progress) {
  QUERN_CHECK(check_special_tokens(options.special_tokens, roles()));
  const size_t specials = options.special_tokens.size();
  QUERN_CHECK(check_vocab_size(options.vocab_size, static_cast<int64_t>(specials) + 1,
                               fmt::format("{} special tokens and a character", specials)));
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
  MergeStart start = make_start(words, options);
  QUERN_CHECK(check_vocab_size(
      options.vocab_size, static_cast<int64_t>(start.tokens.size()),
      fmt::format("{} special tokens, the characters of the text, and those inside words", specials)));
  const ProgressScope scope(progress, "learn merges", options.vocab_size, "tokens");
  QUERN_TRY(const LearnedMerges learned,
            learn_merges(words, std::move(start), options.vocab_size, options.min_frequency, progress));
  document["model"] = model_of(learned.tokens);
  return Tokenizer::from_json(document.dump(), training_config_json(roles(), ""));
}

}  // namespace quern::text
