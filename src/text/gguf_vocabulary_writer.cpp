#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "text/gguf_vocabulary.h"
#include "text/json_fields.h"
#include "text/lexer.h"
#include "text/sentencepiece.h"
#include "text/split_patterns.h"

namespace quern::text {

namespace {

constexpr std::string_view kMark = "\u2581";

Error inexpressible(std::string_view part, const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 200) text = text.substr(0, 200) + "...";
  return make_error(ErrorCode::unsupported,
                    fmt::format("GGUF cannot express the {} of tokenizer.json: {}", part, text));
}

// Split rules of a byte-level tokenizer.
Result<SplitRules> split_rules(const nlohmann::json& document) {
  SplitRules rules{.patterns = {}, .ignore_merges = document.at("model").value("ignore_merges", false)};
  const Json before = document.at("pre_tokenizer"), first = document.at("normalizer");
  QUERN_TRY(const auto pre, flatten_sequence("pre_tokenizer", before, "pretokenizers"));
  QUERN_TRY(const auto normalizers, flatten_sequence("normalizer", first, "normalizers"));
  for (const Fields& fields : pre) {
    const Json& step = fields.json();
    const std::string type = step.at("type");
    const Json pattern = step.value("pattern", Json::object());
    const bool matches_are_pieces =
        (step.value("behavior", "") == "Isolated" && !step.value("invert", false)) ||
        (step.value("behavior", "") == "Removed" && step.value("invert", false));
    if (type == "ByteLevel" && !step.value("add_prefix_space", true)) {
      if (step.value("use_regex", true)) rules.patterns.emplace_back(kGpt2Pattern);
    } else if (type == "Digits" && step.value("individual_digits", false)) {
      rules.patterns.emplace_back("\\p{N}");
    } else if (type == "Split" && pattern.contains("Regex") && matches_are_pieces) {
      rules.patterns.push_back(pattern.at("Regex"));
    } else {
      return inexpressible("pre_tokenizer", step);
    }
  }
  for (const Fields& fields : normalizers) {
    const Json& step = fields.json();
    if (step.at("type") != "NFC") return inexpressible("normalizer", step);
    rules.nfc = true;
  }
  return rules;
}

// Whether SentencePiece's form of BPE puts a space before a text.
Result<bool> adds_space(const nlohmann::json& document) {
  bool adds = false;
  const Json before = document.at("pre_tokenizer"), first = document.at("normalizer");
  QUERN_TRY(const auto pre, flatten_sequence("pre_tokenizer", before, "pretokenizers"));
  QUERN_TRY(const auto normalizers, flatten_sequence("normalizer", first, "normalizers"));
  for (const Fields& fields : normalizers) {
    const Json& step = fields.json();
    const std::string type = step.at("type");
    if (type == "Prepend") {
      adds = true;
    } else if (type != "Replace") {
      return inexpressible("normalizer", step);
    }
  }
  for (const Fields& fields : pre) {
    const Json& step = fields.json();
    const std::string type = step.at("type");
    if (type == "Metaspace") {
      adds = adds || step.value("prepend_scheme",
                                step.value("add_prefix_space", true) ? "always" : "never") != "never";
    } else if (type != "Split") {
      return inexpressible("pre_tokenizer", step);
    }
  }
  return adds;
}

// Merges are lists of pairs, or lines, in the file.
std::vector<std::string> merges_of(const nlohmann::json& model) {
  std::vector<std::string> merges;
  for (const nlohmann::json& merge : model.at("merges")) {
    merges.push_back(merge.is_string() ? merge.get<std::string>()
                                       : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return merges;
}

bool is_byte(const std::string& token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with(">");
}

// Tokens and types by id.
void list_tokens(const Tokenizer& tokenizer, const nlohmann::json& document, int64_t rows,
                 GgufVocabulary& result) {
  const bool bytes_are_tokens = result.model == "llama";
  std::unordered_map<TokenId, bool> added;  // and whether it is special
  for (const nlohmann::json& token : document.at("added_tokens"))
    added[token.at("id")] = token.value("special", false);
  for (TokenId id = 0; id < static_cast<TokenId>(rows); ++id) {
    const std::optional<std::string> found = tokenizer.id_to_token(id);
    std::string token = found ? *found : fmt::format("[PAD{}]", id);
    PieceType type = found ? PieceType::normal : PieceType::unused;
    if (const auto at = added.find(id); found && at != added.end()) {
      type = at->second ? PieceType::control : PieceType::user_defined;
    } else if (bytes_are_tokens && is_byte(token)) {
      type = PieceType::byte;
    }
    if (bytes_are_tokens && result.unk == id) type = PieceType::unknown;
    if (bytes_are_tokens && type == PieceType::user_defined) {
      // Such tokens are looked for in the text as it was written.
      for (size_t at = 0; (at = token.find(kMark, at)) != token.npos; ++at)
        token.replace(at, kMark.size(), " ");
    }
    result.tokens.push_back(std::move(token));
    result.types.push_back(static_cast<int32_t>(type));
  }
}

// SentencePiece joins the pair whose token has the largest score; here the pair of the first merge.
std::vector<float> scores_from(const std::vector<std::string>& merges,
                               const std::vector<std::string>& tokens) {
  std::unordered_map<std::string, float> ranks;
  for (size_t i = 0; i < merges.size(); ++i) {
    std::string joined = merges[i];
    joined.erase(joined.find(' ', 1), 1);
    ranks.emplace(std::move(joined), -static_cast<float>(i));
  }
  std::vector<float> scores;
  for (const std::string& token : tokens) {
    const auto at = ranks.find(token);
    scores.push_back(at == ranks.end() ? -static_cast<float>(merges.size()) : at->second);
  }
  return scores;
}

}  // namespace

Result<GgufVocabulary> make_gguf_vocabulary(const Tokenizer& tokenizer, int64_t rows) {
  if (rows < tokenizer.vocab_size()) {
    return make_error(ErrorCode::conflict,
                      fmt::format("the tokenizer has {} tokens, but the model {} embeddings",
                                  tokenizer.vocab_size(), rows));
  }
  // Not ordered: among keys of an ordered one, and a vocabulary has many, each is searched for from the start.
  const nlohmann::json document = nlohmann::json::parse(tokenizer.to_json());
  const nlohmann::json& model = document.at("model");
  if (tokenizer.model_type() != "BPE") {
    return make_error(
        ErrorCode::unsupported,
        fmt::format("tokenizers of type {} cannot be written as GGUF yet", tokenizer.model_type()));
  }
  GgufVocabulary result;
  result.merges = merges_of(model);
  const SpecialIds& special = tokenizer.special_ids();
  result.bos = special.bos;
  result.eos = special.eos;
  result.pad = special.pad;
  result.unk = special.unk;
  result.chat_template = tokenizer.chat_template();
  const std::vector<TokenId> around = tokenizer.encode("");
  result.add_bos = special.bos && !around.empty() && around.front() == *special.bos;
  result.add_eos = special.eos && around.size() > (*result.add_bos ? 1 : 0) && around.back() == *special.eos;
  if (model.value("byte_fallback", false)) {
    result.model = "llama";
    result.pre = "default";
    QUERN_TRY(result.add_space_prefix, adds_space(document));
    list_tokens(tokenizer, document, rows, result);
    result.scores = scores_from(std::exchange(result.merges, {}), result.tokens);
  } else {
    result.model = "gpt2";
    QUERN_TRY(const SplitRules rules, split_rules(document));
    QUERN_TRY(result.pre, find_split_name(rules));
    list_tokens(tokenizer, document, rows, result);
  }
  return result;
}

}  // namespace quern::text
