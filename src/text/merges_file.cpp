#include "text/merges_file.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "text/byte_level_document.h"
#include "text/models/model_json.h"
#include "text/split_patterns.h"

namespace quern::text {

namespace {

using simdjson::dom::element;

// Merges as JSON strings. The first line may say "#version: 0.2".
std::string merges_json(std::string_view text) {
  std::string list = "[";
  for (size_t line = 0; !text.empty(); ++line) {
    std::string_view merge = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(merge.size() + 1, text.size()));
    while (merge.ends_with('\r') || merge.ends_with(' ')) merge.remove_suffix(1);
    if (merge.empty() || (line == 0 && merge.starts_with("#version"))) continue;
    if (list.size() > 1) list += ',';
    list += quoted_json(merge);
  }
  return list + "]";
}

Result<int64_t> id_end_of(element vocabulary) {
  int64_t end = 0;
  for (const auto& [token, value] : simdjson::dom::object(vocabulary)) {
    int64_t id = 0;
    if (value.get(id) != simdjson::SUCCESS || id < 0)
      return make_error(ErrorCode::corrupt,
                        fmt::format("vocab.json: the id of '{}' is not a whole number", token));
    end = std::max(end, id + 1);
  }
  return end;
}

Result<const TokenizerFamily*> family_of(const TokenizerCompanions& companions, element vocabulary) {
  const std::string& key = companions.family();
  const bool is_gpt2 = key.empty() && vocabulary["<|endoftext|>"].error() == simdjson::SUCCESS;
  const TokenizerFamily* family = find_tokenizer_family(is_gpt2 ? "gpt2" : key);
  if (family != nullptr && !family->split.empty()) return family;
  return make_error(
      ErrorCode::unsupported,
      key.empty()
          ? "vocab.json and merges.txt: nothing says whose they are"
          : fmt::format("vocab.json and merges.txt of a tokenizer of the kind '{}' are not supported", key),
      fmt::format(
          "{}known: {}. Loading and saving the tokenizer once with transformers gives tokenizer.json",
          key.empty() ? "tokenizer_class in tokenizer_config.json or model_type in config.json does; " : "",
          families_of_merges()));
}

}  // namespace

Result<Tokenizer> read_vocabulary_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                             TokenizerCompanions companions) {
  simdjson::dom::parser parser;
  element vocabulary;
  if (const auto error = parser.parse(vocab_json.data(), vocab_json.size()).get(vocabulary);
      error != simdjson::SUCCESS || !vocabulary.is_object())
    return make_error(ErrorCode::corrupt, "vocab.json: not a JSON object");
  QUERN_TRY(const int64_t end, id_end_of(vocabulary));
  QUERN_TRY(const TokenizerFamily* const family, family_of(companions, vocabulary));
  companions.complete(family->roles);
  const auto find = [&](std::string_view token) -> std::optional<TokenId> {
    int64_t id = 0;
    if (vocabulary.at_key(token).get(id) != simdjson::SUCCESS) return std::nullopt;
    return static_cast<TokenId>(id);
  };
  QUERN_TRY(const SplitRules rules, find_split_rules(family->split));
  const nlohmann::json& config = companions.config();
  Json document =
      byte_level_document({.patterns = rules.patterns,
                           .added_tokens = {},
                           .nfc = rules.nfc,
                           .add_prefix_space = config.value("add_prefix_space", nlohmann::json()) == true});
  QUERN_TRY(document["added_tokens"], companions.added_tokens(find, end));
  QUERN_TRY(document["post_processor"], companions.post_processor(*family, document["added_tokens"]));
  document.erase("model");
  // The large parts are put in as they are.
  std::string json = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  json.back() = ',';
  json += fmt::format(R"("model":{{"type":"BPE","vocab":{},"merges":{}}}}})", vocab_json,
                      merges_json(merges_txt));
  return Tokenizer::from_json(json, companions.config_json(), companions.chat_template());
}

}  // namespace quern::text
