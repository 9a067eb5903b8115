// Added tokens: whole strings such as <|endoftext|> that are found in text before anything else happens to
// it.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/normalizer.h"
#include "text/vocabulary.h"

namespace quern::text {

struct AddedToken {
  TokenId id = kNoToken;
  std::string content;       // as the file writes it
  std::string form;          // what stands in text: content, in its normal form if `normalized`
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // swallows white space on its left
  bool rstrip = false;       // ... on its right
  bool normalized = true;    // looked for in the normalised text, in its own normalised form
  bool special =
      false;  // control token: left out when decoding for people, can be switched off for user text
};

// Where special tokens count as such.
struct SpecialRules {
  bool allow = true;
  std::span<const Span> plain = {};  // of the text, in order: no special token takes part in these bytes

  bool allows(Span token) const;
};

// Finds added tokens leftmost-longest. Read-only after loading, so thread-safe.
class TokenMatcher {
 public:
  // `text`: what to look for; empty strings are ignored. `token` must outlive the matcher.
  void add(std::string text, const AddedToken* token);
  // Call once after the last add.
  void build();
  bool empty() const { return entries_.empty(); }

  // Cuts `text` into tokens (with token != nullptr) and what lies between them (never empty), in order.
  // Special tokens for which `is_special`, given the place of their text, is false are ordinary text.
  void scan(std::string_view text, const std::function<bool(Span)>& is_special,
            const std::function<void(Span, const AddedToken*)>& part) const;

 private:
  struct Entry {
    std::string text;
    const AddedToken* token;
  };
  const Entry* match_at(std::string_view text, size_t at) const;

  std::vector<Entry> entries_;             // sorted by text: an implicit trie
  std::array<Span, 256> by_first_byte_{};  // entries that begin with this byte
};

// All added tokens of a tokenizer.
class AddedTokens {
 public:
  // The value of "added_tokens". Ids follow Hugging Face tokenizers: a token of the model keeps its id,
  // others are numbered on from the end in the order of the file, whatever the file says.
  static Result<AddedTokens> load(const Json& list, const Vocabulary& vocabulary,
                                  const Normalizers& normalizers);

  const TokenMatcher& raw() const { return raw_; }
  const TokenMatcher& normalized() const { return normalized_; }
  const AddedToken* find(TokenId id) const;
  const AddedToken* find(std::string_view content) const;
  const std::vector<std::unique_ptr<AddedToken>>& all() const { return tokens_; }
  // One past the largest id.
  size_t id_end() const;

 private:
  std::vector<std::unique_ptr<AddedToken>> tokens_;
  std::unordered_map<TokenId, const AddedToken*> by_id_;
  std::unordered_map<std::string_view, const AddedToken*> by_content_;
  TokenMatcher raw_, normalized_;
};

}  // namespace quern::text
