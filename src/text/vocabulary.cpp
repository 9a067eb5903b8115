#include "text/vocabulary.h"

#include <fmt/format.h>

#include "text/byte_alphabet.h"

namespace quern::text {

Result<void> Vocabulary::add(std::string_view token, int64_t id, int64_t id_limit) {
  return add(token, id, id_limit, false);
}

Result<void> Vocabulary::add_literal(std::string_view token, int64_t id, int64_t id_limit) {
  return add(token, id, id_limit, true);
}

Result<void> Vocabulary::add(std::string_view token, int64_t id, int64_t id_limit, bool as_literal) {
  if (id < 0 || id >= id_limit) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("token {:?} has the id {}: expected 0 to {}", token, id, id_limit - 1));
  }
  const auto at = static_cast<size_t>(id);
  if (at >= tokens_.size()) tokens_.resize(at + 1);
  if (tokens_[at].index != StringTable::kNone) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("the id {} belongs to two tokens: {:?} and {:?}", id,
                                  this->token(static_cast<TokenId>(id)).value_or(""), token));
  }
  const Stored stored = store(token, static_cast<TokenId>(id), as_literal);
  if (stored.repeated) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("the token {:?} stands in the vocabulary twice", token));
  }
  tokens_[at] = {stored.index, stored.literal};
  return {};
}

void Vocabulary::append(std::string_view token) {
  const Stored stored = store(token, static_cast<TokenId>(tokens_.size()), false);
  tokens_.push_back({stored.index, stored.literal});
}

Vocabulary::Stored Vocabulary::store(std::string_view token, TokenId id, bool as_literal) {
  const std::optional<std::string> bytes =
      byte_level_ && !as_literal ? from_byte_characters(token) : std::nullopt;
  const bool literal = as_literal || (byte_level_ && !bytes);
  StringTable& table = literal ? literals_ : bytes_;
  std::vector<TokenId>& ids = literal ? literal_ids_ : bytes_ids_;
  const uint32_t index = table.add(bytes ? *bytes : token);
  const bool repeated = index < ids.size();
  if (repeated) {
    ids[index] = id;
  } else {
    ids.push_back(id);
  }
  ++size_;
  return {index, literal, repeated};
}

TokenId Vocabulary::find_bytes(std::string_view bytes) const {
  const uint32_t index = bytes_.find(bytes);
  return index == StringTable::kNone ? kNoToken : bytes_ids_[index];
}

TokenId Vocabulary::find_token(std::string_view token) const {
  const auto bytes = byte_level_ ? from_byte_characters(token) : std::optional<std::string>(token);
  const TokenId id = bytes ? find_bytes(*bytes) : kNoToken;
  if (id != kNoToken) return id;
  const uint32_t index = literals_.find(token);
  return index == StringTable::kNone ? kNoToken : literal_ids_[index];
}

void Vocabulary::find_tokens(std::span<const std::string_view> tokens, std::span<TokenId> ids) const {
  std::vector<std::string_view> texts(tokens.begin(), tokens.end());
  std::vector<std::string> bytes(byte_level_ ? tokens.size() : 0);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = from_byte_characters(tokens[i]).value_or("");
    texts[i] = bytes[i];
  }
  std::vector<uint32_t> indices(tokens.size());
  bytes_.find(texts, indices);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool found = indices[i] != StringTable::kNone && !texts[i].empty();
    ids[i] = found ? bytes_ids_[indices[i]] : find_token(tokens[i]);
  }
}

std::string_view Vocabulary::bytes(TokenId id) const {
  const Entry found = entry(id);
  if (found.index == StringTable::kNone) return {};
  return (found.literal ? literals_ : bytes_).at(found.index);
}

std::optional<std::string> Vocabulary::token(TokenId id) const {
  const Entry found = entry(id);
  if (found.index == StringTable::kNone) return std::nullopt;
  const std::string_view bytes = this->bytes(id);
  return byte_level_ && !found.literal ? to_byte_characters(bytes) : std::string(bytes);
}

}  // namespace quern::text
