#include "text/bert_vocabulary.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace quern::text {

namespace {

nlohmann::json read_vocabulary(std::string_view text) {
  nlohmann::json vocab = nlohmann::json::object();
  int64_t id = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view token = text.substr(0, end);
    if (token.ends_with('\r')) token.remove_suffix(1);
    vocab[std::string(token)] = id++;
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return vocab;
}

// A special token as the config names it, a text or an object with "content".
std::string special_token(const nlohmann::json& config, const char* key, const char* usual) {
  const nlohmann::json value = config.value(key, nlohmann::json());
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.value("content", nlohmann::json()).is_string())
    return value["content"].get<std::string>();
  return usual;
}

}  // namespace

Result<std::string> bert_tokenizer_json(std::string_view vocabulary, std::string_view config_json) {
  const nlohmann::json config =
      config_json.empty() ? nlohmann::json::object() : nlohmann::json::parse(config_json, nullptr, false);
  if (!config.is_object()) return make_error(ErrorCode::corrupt, "tokenizer_config.json: not a JSON object");
  const nlohmann::json vocab = read_vocabulary(vocabulary);
  nlohmann::json added = nlohmann::json::array();
  std::string unk, cls, sep;
  for (const auto& [key, usual, name] :
       std::initializer_list<std::tuple<const char*, const char*, std::string*>>{
           {"pad_token", "[PAD]", nullptr},
           {"unk_token", "[UNK]", &unk},
           {"cls_token", "[CLS]", &cls},
           {"sep_token", "[SEP]", &sep},
           {"mask_token", "[MASK]", nullptr}}) {
    const std::string token = special_token(config, key, usual);
    const auto found = vocab.find(token);
    if (found == vocab.end()) {
      if (name == nullptr) continue;
      return make_error(ErrorCode::corrupt,
                        fmt::format("vocab.txt: the special token '{}' is missing", token));
    }
    if (name != nullptr) *name = token;
    added.push_back({{"id", *found},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const auto special = [](const std::string& token, int type) {
    return nlohmann::json{{"SpecialToken", {{"id", token}, {"type_id", type}}}};
  };
  const auto sequence = [](const char* id, int type) {
    return nlohmann::json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  const auto ids = [&](const std::string& token) {
    return nlohmann::json{{"id", token}, {"ids", {vocab[token]}}, {"tokens", {token}}};
  };
  const bool lower = config.value("do_lower_case", nlohmann::json(true)) != false;
  const nlohmann::json strip = config.value("strip_accents", nlohmann::json());
  const nlohmann::json tokenizer{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", config.value("tokenize_chinese_chars", nlohmann::json(true)) != false},
        {"strip_accents", strip.is_boolean() ? strip : nlohmann::json()},
        {"lowercase", lower}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", nlohmann::json::array({special(cls, 0), sequence("A", 0), special(sep, 0)})},
        {"pair", nlohmann::json::array({special(cls, 0), sequence("A", 0), special(sep, 0), sequence("B", 1),
                                        special(sep, 1)})},
        {"special_tokens", {{cls, ids(cls)}, {sep, ids(sep)}}}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", unk},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 100},
        {"vocab", vocab}}}};
  return tokenizer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace quern::text
