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
struct Start {
  std::vector<std::string> tokens;
  std::array<TokenId, 256> alphabet{};
};

Start make_start(const std::vector<std::string>& special_tokens) {
  Start start{.tokens = special_tokens};
  std::array<int, 256> bytes;
  std::iota(bytes.begin(), bytes.end(), 0);
  std::sort(bytes.begin(), bytes.end(), [](int a, int b) {
    return byte_alphabet()[static_cast<size_t>(a)] < byte_alphabet()[static_cast<size_t>(b)];
  });
  for (const int byte : bytes) {
    const char c = static_cast<char>(byte);
    const std::string spelling = to_byte_characters({&c, 1});
    const auto known = std::find(start.tokens.begin(), start.tokens.end(), spelling);
    start.alphabet[static_cast<size_t>(byte)] = static_cast<TokenId>(known - start.tokens.begin());
    if (known == start.tokens.end()) start.tokens.push_back(spelling);
  }
  return start;
}

Result<void> check(const BpeTrainOptions& options) {
  const auto invalid = [](std::string message, std::string hint = {}) {
    return make_error(ErrorCode::invalid_argument, std::move(message), std::move(hint));
  };
  const std::vector<std::string>& specials = options.special_tokens;
  for (size_t i = 0; i < specials.size(); ++i) {
    if (specials[i].empty()) return invalid("a special token is empty");
    if (std::find(specials.begin(), specials.begin() + static_cast<std::ptrdiff_t>(i), specials[i]) !=
        specials.begin() + static_cast<std::ptrdiff_t>(i)) {
      return invalid(fmt::format("the special token {:?} is given twice", specials[i]));
    }
  }
  for (const auto& role : {options.bos_token, options.eos_token, options.pad_token, options.unk_token}) {
    if (role && std::find(specials.begin(), specials.end(), *role) == specials.end()) {
      return invalid(fmt::format("{:?} is not one of the special tokens", *role), "add it to special_tokens");
    }
  }
  const auto least = static_cast<int64_t>(specials.size()) + 256;
  if (options.vocab_size < least) {
    return invalid(
        fmt::format(
            "a vocabulary of {} tokens is smaller than the alphabet: {} special tokens and 256 bytes need {}",
            options.vocab_size, specials.size(), least),
        fmt::format("use a vocabulary size of at least {}", least));
  }
  constexpr int64_t kMost = 1 << 24;
  if (options.vocab_size > kMost)
    return invalid(
        fmt::format("a vocabulary of {} tokens: at most {} are possible", options.vocab_size, kMost));
  return {};
}

// Puts the beginning-of-text token before every text, as Llama 3 does. Without it here, programs that read
// tokenizer.json would leave it out.
Json post_processor_json(const BpeTrainOptions& options) {
  if (!options.bos_token) return {};
  const std::string& bos = *options.bos_token;
  const auto id = std::ranges::find(options.special_tokens, bos) - options.special_tokens.begin();
  const auto special = [&](int type) { return Json{{"SpecialToken", {{"id", bos}, {"type_id", type}}}}; };
  const auto text = [](const char* which, int type) {
    return Json{{"Sequence", {{"id", which}, {"type_id", type}}}};
  };
  return {
      {"type", "TemplateProcessing"},
      {"single", Json::array({special(0), text("A", 0)})},
      {"pair", Json::array({special(0), text("A", 0), special(1), text("B", 1)})},
      {"special_tokens", {{bos, {{"id", bos}, {"ids", Json::array({id})}, {"tokens", Json::array({bos})}}}}}};
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

std::string config_json(const BpeTrainOptions& options) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  const auto role = [&](const char* key, const std::optional<std::string>& token) {
    if (token) config[key] = *token;
  };
  role("bos_token", options.bos_token);
  role("eos_token", options.eos_token);
  role("pad_token", options.pad_token);
  role("unk_token", options.unk_token);
  if (!options.chat_template.empty()) config["chat_template"] = options.chat_template;
  return config.dump(2) + "\n";
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
  Start start = make_start(options.special_tokens);
  QUERN_TRY(const LearnedMerges learned, learn_merges(words, std::move(start.tokens), start.alphabet,
                                                      options.vocab_size, options.min_frequency, progress));
  return Tokenizer::from_json(tokenizer_json(options, rules, learned), config_json(options));
}

}  // namespace quern::text
