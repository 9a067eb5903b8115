// The tokens of a model: id <-> token as the file writes it <-> bytes the model matches.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/string_table.h"

namespace quern::text {

using TokenId = int32_t;
inline constexpr TokenId kNoToken = -1;

// With `byte_level`, tokens are written in the byte alphabet and match the bytes they stand for; a token with
// another character is "literal": it matches no text and decodes to itself. Read-only after loading, so
// thread-safe.
class Vocabulary {
 public:
  explicit Vocabulary(bool byte_level) : byte_level_(byte_level) {}

  // Makes room, so that adding does not grow the tables step by step.
  void reserve(size_t tokens) { bytes_.reserve(tokens, tokens * 8); }
  // Errors: corrupt for a token or id given twice and for an id that is negative or not below `id_limit`.
  Result<void> add(std::string_view token, int64_t id, int64_t id_limit);
  // As add(), for a token that matches no text and stands for itself.
  Result<void> add_literal(std::string_view token, int64_t id, int64_t id_limit);
  // The next id, one past the largest. A token that comes again is found by its later id.
  void append(std::string_view token);

  bool byte_level() const { return byte_level_; }
  // Number of tokens, and one past the largest id (ids may leave holes).
  size_t size() const { return size_; }
  size_t id_end() const { return tokens_.size(); }

  // The token that matches exactly these bytes, or kNoToken.
  TokenId find_bytes(std::string_view bytes) const;
  // The token written so in the file, or kNoToken.
  TokenId find_token(std::string_view token) const;
  // The same for many at once, which is faster. Precondition: as many ids as tokens.
  void find_tokens(std::span<const std::string_view> tokens, std::span<TokenId> ids) const;

  bool contains(TokenId id) const { return entry(id).index != StringTable::kNone; }
  // What the token stands for in text; empty for an unknown id.
  std::string_view bytes(TokenId id) const;
  // The token as the file writes it; nothing for an unknown id.
  std::optional<std::string> token(TokenId id) const;

 private:
  // The string of a token in one of the tables, and whether it was there before.
  struct Stored {
    uint32_t index;
    bool literal;
    bool repeated;
  };
  Stored store(std::string_view token, TokenId id, bool literal);
  Result<void> add(std::string_view token, int64_t id, int64_t id_limit, bool literal);
  struct Entry {
    uint32_t index = StringTable::kNone;
    bool literal = false;
  };
  Entry entry(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < tokens_.size() ? tokens_[static_cast<size_t>(id)] : Entry{};
  }

  bool byte_level_;
  size_t size_ = 0;
  StringTable bytes_, literals_;
  std::vector<TokenId> bytes_ids_, literal_ids_;  // id of each string of the tables
  std::vector<Entry> tokens_;                     // by id
};

}  // namespace quern::text
