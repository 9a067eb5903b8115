#include "text/bpe_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "text/byte_alphabet.h"
#include "text/byte_level_document.h"
#include "text/merge_learner.h"
#include "text/word_counter.h"

namespace quern::text {

namespace {
std::string expression_of(std::string_view pattern) {
  if (pattern == "gpt2") return std::string(kGpt2Pattern);
  if (pattern == "llama3") return std::string(kLlama3Pattern);
  if (pattern == "qwen2") return std::string(kQwen2Pattern);
  if (pattern == "gpt4o") return std::string(kGpt4oPattern);
  return std::string(pattern);
}

ByteLevelRules rules_of(const BpeTrainOptions& options) {
  ByteLevelRules rules{.patterns = {expression_of(options.pattern)},
                       .added_tokens = {},
                       .nfc = options.nfc,
                       .add_prefix_space = options.add_prefix_space};
  for (const std::string& token : options.special_tokens) rules.added_tokens.push_back({token, true});
  return rules;
}

// Special tokens, then the alphabet in the order of its characters, as Hugging Face numbers them.
MergeStart make_start(const std::vector<std::string>& special_tokens) {
  MergeStart start{.tokens = special_tokens, .spell = {}};
  std::array<int, 256> bytes;
  std::iota(bytes.begin(), bytes.end(), 0);
  std::sort(bytes.begin(), bytes.end(), [](int a, int b) {
    return byte_alphabet()[static_cast<size_t>(a)] < byte_alphabet()[static_cast<size_t>(b)];
  });
  std::array<TokenId, 256> alphabet{};
  for (const int byte : bytes) {
    const char c = static_cast<char>(byte);
    const std::string spelling = to_byte_characters({&c, 1});
    const auto known = std::find(start.tokens.begin(), start.tokens.end(), spelling);
    alphabet[static_cast<size_t>(byte)] = static_cast<TokenId>(known - start.tokens.begin());
    if (known == start.tokens.end()) start.tokens.push_back(spelling);
  }
  start.spell = [alphabet](std::string_view word, std::vector<TokenId>& symbols) {
    for (const char c : word) symbols.push_back(alphabet[static_cast<uint8_t>(c)]);
  };
  return start;
}

std::vector<TokenRole> roles_of(const BpeTrainOptions& options) {
  return {{"bos_token", options.bos_token},
          {"eos_token", options.eos_token},
          {"pad_token", options.pad_token},
          {"unk_token", options.unk_token}};
}

Result<void> check(const BpeTrainOptions& options) {
  const size_t specials = options.special_tokens.size();
  QUERN_CHECK(check_special_tokens(options.special_tokens, roles_of(options)));
  return check_vocab_size(options.vocab_size, static_cast<int64_t>(specials) + 256,
                          fmt::format("{} special tokens and 256 bytes", specials));
}

// Puts the beginning-of-text token before every text, as Llama 3 does. Without it here, programs that read
// tokenizer.json would leave it out.
Json post_processor_json(const BpeTrainOptions& options) {
  if (!options.bos_token) return {};
  const std::string& bos = *options.bos_token;
  return surrounding_template({bos, "$A"}, {bos, "$A", bos + ":1", "$B:1"}, options.special_tokens);
}

std::string tokenizer_json(const BpeTrainOptions& options, const ByteLevelRules& rules,
                           const LearnedMerges& learned) {
  Json vocab = Json::object(), merges = Json::array();
  Json::object_t& entries = vocab.get_ref<Json::object_t&>();
  for (size_t id = 0; id < learned.tokens.size(); ++id)
    entries.Container::emplace_back(learned.tokens[id], id);
  for (const auto& [left, right, result] : learned.merges) {
    merges.push_back({learned.tokens[static_cast<size_t>(left)], learned.tokens[static_cast<size_t>(right)]});
  }
  Json document = byte_level_document(rules);
  document["post_processor"] = post_processor_json(options);
  document["model"] = {{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", std::move(merges)}};
  return document.dump();
}
}  // namespace

Result<Tokenizer> train_bpe(const TextSource& next, const BpeTrainOptions& options, Progress& progress) {
  QUERN_CHECK(check(options));
  const ByteLevelRules rules = rules_of(options);
  QUERN_TRY(const PreTokenizers pre_tokenizers, make_pre_tokenizers(byte_level_pre_tokenizer(rules), true));
  QUERN_TRY(const Normalizers normalizers, make_normalizers(options.nfc ? Json{{"type", "NFC"}} : Json()));
  WordCounts words;
  {
    const ProgressScope scope(progress, "count words", 0, "bytes");
    const bool may_cut = find_lexer(expression_of(options.pattern)) && !options.add_prefix_space;
    words = count_words(next, {normalizers, pre_tokenizers, may_cut}, progress);
  }
  if (words.words.size() == 0) {
    return make_error(ErrorCode::invalid_argument, "the corpus to train a tokenizer on is empty");
  }
  const ProgressScope scope(progress, "learn merges", options.vocab_size, "tokens");
  QUERN_TRY(const LearnedMerges learned, learn_merges(words, make_start(options.special_tokens),
                                                      options.vocab_size, options.min_frequency, progress));
  return Tokenizer::from_json(tokenizer_json(options, rules, learned),
                              training_config_json(roles_of(options), options.chat_template));
}

}  // namespace quern::text
