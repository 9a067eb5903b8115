#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/base64.h"
#include "text/gguf_vocabulary.h"
#include "text/json_fields.h"
#include "text/lexer.h"
#include "text/sentencepiece.h"
#include "text/split_patterns.h"

namespace quern::text {

namespace {

constexpr std::string_view kSpaceMark = "\u2581";

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

// The rules of "bert": words with a mark before them, what continues a word bare.
Result<void> write_word_piece(const nlohmann::json& document, GgufVocabulary& result) {
  const Json before = document.at("pre_tokenizer"), first = document.at("normalizer");
  const nlohmann::json& model = document.at("model");
  if (!first.is_object() || first.at("type") != "BertNormalizer" || !first.value("clean_text", true) ||
      !first.value("handle_chinese_chars", true)) {
    return inexpressible("normalizer", first);
  }
  if (!before.is_object() || before.at("type") != "BertPreTokenizer")
    return inexpressible("pre_tokenizer", before);
  const std::string prefix = model.value("continuing_subword_prefix", "##");
  if (prefix != "##") return inexpressible("continuing_subword_prefix", prefix);
  result.lowercase = first.value("lowercase", true);
  const auto accents = first.find("strip_accents");
  result.strip_accents =
      accents == first.end() || accents->is_null() ? *result.lowercase : accents->get<bool>();
  for (size_t id = 0; id < result.tokens.size(); ++id) {
    std::string& token = result.tokens[id];
    if (result.types[id] != static_cast<int32_t>(PieceType::normal)) continue;
    if (token.starts_with(prefix) && token.size() > prefix.size())
      token.erase(0, prefix.size());
    else
      token.insert(0, kSpaceMark);
  }
  return {};
}

// The rules of "t5": SentencePiece's character map and its treatment of spaces.
Result<void> write_unigram(const nlohmann::json& document, GgufVocabulary& result) {
  const Json before = document.at("pre_tokenizer"), first = document.at("normalizer");
  QUERN_TRY(const auto pre, flatten_sequence("pre_tokenizer", before, "pretokenizers"));
  QUERN_TRY(const auto normalizers, flatten_sequence("normalizer", first, "normalizers"));
  result.add_space_prefix = result.remove_extra_whitespaces = false;
  for (const Fields& fields : normalizers) {
    const Json& step = fields.json();
    const std::string type = step.at("type");
    const Json pattern = step.value("pattern", Json::object());
    if (type == "Precompiled") {
      result.precompiled_charsmap = decode_base64(step.at("precompiled_charsmap").get<std::string>()).value();
    } else if (type == "Strip" || (type == "Replace" && pattern.value("Regex", "") == " {2,}")) {
      result.remove_extra_whitespaces = true;
    } else if (type == "Prepend") {
      result.add_space_prefix = true;
    } else if (type != "Replace" || pattern.value("String", "") != " ") {
      return inexpressible("normalizer", step);
    }
  }
  for (const Fields& fields : pre) {
    const Json& step = fields.json();
    const std::string type = step.at("type");
    if (type == "WhitespaceSplit") {
      result.remove_extra_whitespaces = true;
    } else if (type == "Metaspace") {
      result.add_space_prefix =
          step.value("prepend_scheme", step.value("add_prefix_space", true) ? "always" : "never") != "never";
    } else {
      return inexpressible("pre_tokenizer", step);
    }
  }
  const nlohmann::json& vocab = document.at("model").at("vocab");
  for (size_t id = 0; id < result.tokens.size(); ++id) {
    const bool scored = id < vocab.size() && result.types[id] == static_cast<int32_t>(PieceType::normal);
    result.scores.push_back(scored ? vocab[id][1].get<float>() : 0);
  }
  return {};
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

// Tokens and types by id.
void list_tokens(const Tokenizer& tokenizer, const nlohmann::json& document, int64_t rows,
                 GgufVocabulary& result) {
  const bool is_sentencepiece = result.model == "llama" || result.model == "t5";
  const bool bytes_are_tokens = is_sentencepiece && document.at("model").value("byte_fallback", false);
  std::unordered_map<TokenId, bool> added;  // and whether it is special
  for (const nlohmann::json& token : document.at("added_tokens"))
    added[token.at("id")] = token.value("special", false);
  for (TokenId id = 0; id < static_cast<TokenId>(rows); ++id) {
    const std::optional<std::string> found = tokenizer.id_to_token(id);
    std::string token = found ? *found : fmt::format("[PAD{}]", id);
    PieceType type = found ? PieceType::normal : PieceType::unused;
    if (const auto at = added.find(id); found && at != added.end()) {
      type = at->second ? PieceType::control : PieceType::user_defined;
    } else if (bytes_are_tokens && byte_of_piece(token)) {
      type = PieceType::byte;
    }
    if (is_sentencepiece && result.unk == id) type = PieceType::unknown;
    if (is_sentencepiece && type == PieceType::user_defined) {
      // Such tokens are looked for in the text as it was written.
      for (size_t at = 0; (at = token.find(kSpaceMark, at)) != token.npos; ++at)
        token.replace(at, kSpaceMark.size(), " ");
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
  GgufVocabulary result;
  const SpecialIds& special = tokenizer.special_ids();
  result.bos = special.bos;
  result.eos = special.eos;
  result.pad = special.pad;
  result.unk = special.unk;
  result.chat_template = tokenizer.chat_template();
  const std::string_view type = tokenizer.model_type();
  const std::vector<TokenId> around = tokenizer.encode("");
  if (type == "Unigram") {
    result.model = "t5";
    result.pre = "default";
    if (!model.value("unk_id", nlohmann::json()).is_null()) result.unk = model.at("unk_id").get<TokenId>();
    if (!result.eos && !around.empty()) result.eos = around.back();
    list_tokens(tokenizer, document, rows, result);
    QUERN_CHECK(write_unigram(document, result));
  } else if (type == "WordPiece") {
    result.model = "bert";
    result.pre = "default";
    result.unk = tokenizer.token_to_id(model.value("unk_token", "[UNK]"));
    result.mask = tokenizer.token_to_id("[MASK]");
    // Files have one id for the token that begins a text, and no other for the end than the separator.
    if (!around.empty()) result.bos = result.cls = around.front();
    if (around.size() > 1) result.eos = result.sep = around.back();
    result.add_sep = result.sep.has_value();
    list_tokens(tokenizer, document, rows, result);
    QUERN_CHECK(write_word_piece(document, result));
  } else if (type == "BPE" && model.value("byte_fallback", false)) {
    result.merges = merges_of(model);
    result.model = "llama";
    result.pre = "default";
    QUERN_TRY(result.add_space_prefix, adds_space(document));
    list_tokens(tokenizer, document, rows, result);
    result.scores = scores_from(std::exchange(result.merges, {}), result.tokens);
  } else if (type == "BPE") {
    result.merges = merges_of(model);
    result.model = "gpt2";
    QUERN_TRY(const SplitRules rules, split_rules(document));
    QUERN_TRY(result.pre, find_split_name(rules));
    list_tokens(tokenizer, document, rows, result);
  } else {
    return make_error(ErrorCode::unsupported,
                      fmt::format("GGUF files cannot hold a tokenizer of type {}", type));
  }
  result.add_bos = result.bos && !around.empty() && around.front() == *result.bos;
  result.add_eos = result.eos && around.size() > (*result.add_bos ? 1 : 0) && around.back() == *result.eos;
  return result;
}

}  // namespace quern::text
