// A text that grows under a grammar, token by token or byte by byte.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/token_masks.h"

namespace quern::grammar {

// Copies are independent and cost as much as the text is long (some 30 bytes for each of its own): a beam or a draft
// takes one. Not thread-safe, while the masks it shares are.
class Matcher {
 public:
  // Over bytes alone: without tokens.
  explicit Matcher(const std::shared_ptr<const Grammar>& grammar) : stack_(grammar) {}
  explicit Matcher(std::shared_ptr<TokenMasks> masks) : masks_(std::move(masks)), stack_(masks_->grammar()) {}

  // Goes on with these bytes; false, and nothing changes, where the grammar does not allow them.
  bool accept(std::string_view bytes);
  // The same with a token. An end token is accepted where the text can end, and then no other.
  bool accept_token(TokenId id);
  // Takes the last `count` of what was accepted back, each as it was given. Precondition: there were so many.
  void rollback(size_t count);
  // Calls of accept() and accept_token() that may be taken back, and bytes.
  size_t accepted() const { return steps_.size(); }
  size_t length() const { return stack_.depth(); }

  // Precondition of both: made with masks.
  const Vocabulary& vocabulary() const { return masks_->vocabulary(); }
  bool is_end(TokenId id) const { return vocabulary().is_end(id); }

  bool can_end() const { return stack_.can_end(); }
  // An end token was accepted, or nothing but the end may follow.
  bool is_complete() const;
  // The bytes that must come next whatever the model says, `limit` at most: none where the text may end or go on in
  // two ways. They may end inside of a character.
  std::string forced_bytes(size_t limit = 1024);
  // TokenMasks::fill; after an end token nothing is allowed. Precondition: made with masks.
  Result<void> fill_mask(std::span<uint64_t> bits);
  // The text needs more of some limit of the grammar than there is: nothing is accepted any more.
  bool exhausted() const { return stack_.exhausted(); }

 private:
  std::shared_ptr<TokenMasks> masks_;  // null without tokens
  ParseStack stack_;
  std::vector<size_t> steps_;  // the depth of the stack before each
  bool ended_ = false;
};

}  // namespace quern::grammar
