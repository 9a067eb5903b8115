#include "text/models/model_json.h"

#include <fmt/format.h>

#include "base/exception.h"

namespace quern::text {

using simdjson::dom::element;

Error corrupt_model(std::string what) {
  return make_error(ErrorCode::corrupt, "tokenizer.json: " + std::move(what));
}

Result<element> require_member(const ModelSource& source, const char* key, simdjson::dom::element_type type,
                               std::string_view expected) {
  element value;
  if (source.object[key].get(value) != simdjson::SUCCESS)
    return corrupt_model(fmt::format("the model has no '{}'", key));
  if (value.type() != type) return corrupt_model(fmt::format("'{}' of the model must be {}", key, expected));
  return value;
}

Result<Vocabulary> read_vocabulary(const ModelSource& source) {
  QUERN_TRY(const element table,
            require_member(source, "vocab", simdjson::dom::element_type::OBJECT, "an object of token: id"));
  Vocabulary vocabulary(source.byte_level);
  vocabulary.reserve(simdjson::dom::object(table).size());
  for (const auto& [token, value] : simdjson::dom::object(table)) {
    int64_t id;
    if (value.get(id) != simdjson::SUCCESS)
      return corrupt_model(fmt::format("the id of token {:?} is not a whole number", token));
    if (auto added = vocabulary.add(token, id, source.id_limit); !added.ok())
      return std::move(added).error().within("tokenizer.json");
  }
  return vocabulary;
}

Result<std::string> read_string(const Fields& fields, std::string_view key, std::string fallback) {
  return fields.has(key) ? fields.string(key) : Result<std::string>(std::move(fallback));
}

std::string model_json(const Json& scalars, const std::string& last_member) {
  std::string out = scalars.dump();
  out.pop_back();
  return out + "," + last_member + "}";
}

std::string vocabulary_json(const Vocabulary& vocabulary) {
  std::string out = "{";
  std::string_view separator;
  for (size_t i = 0; i < vocabulary.id_end(); ++i) {
    const auto token = vocabulary.token(static_cast<TokenId>(i));
    if (!token) continue;
    out += fmt::format("{}\n{}:{}", separator, quoted_json(*token), i);
    separator = ",";
  }
  return out + "}";
}

std::string quoted_json(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::array<TokenId, 256> find_byte_tokens(const Vocabulary& vocabulary) {
  std::array<TokenId, 256> tokens;
  for (size_t byte = 0; byte < 256; ++byte)
    tokens[byte] = vocabulary.find_token(fmt::format("<0x{:02X}>", byte));
  return tokens;
}

TokenId require_unknown(TokenId unk, std::string_view text) {
  if (unk != kNoToken) return unk;
  throw Exception(make_error(ErrorCode::invalid_argument,
                             fmt::format("the tokenizer has no token for {:?}", text.substr(0, 100)),
                             "its vocabulary has no unknown token to stand for other text"));
}

}  // namespace quern::text
