// Which tokens may come next, for one grammar and one vocabulary.
//
// The idea of XGrammar (Dong et al. 2024, arXiv 2411.15100): whether a token may come hardly ever depends on what
// lies below the top of the stack. So for each state of the grammar it is found out once, when a text first gets there,
// which tokens stay inside of its rule, and where others leave it; of these, few, the rest is read on the real
// stack each time. llguidance walks all of its trie each time, with a lexer that makes it fast; a mask then takes a
// millisecond more often, and grammars must be cut into lexemes and rules.
//
// Three things are added. In a repetition whose turns are counted ("maxLength"), tokens are kept by the turns they need,
// so that one walk serves all counts. What a rule allows by itself is shared by all grammars that have the rule. And
// a whole mask is kept under a hash of the stack: requests with the same grammar pass the same stacks over and over.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/result.h"
#include "grammar/parse_stack.h"
#include "grammar/shared_masks.h"
#include "grammar/vocabulary.h"

namespace quern::grammar {

// Thread-safe; masks that one thread finds serve all.
class TokenMasks {
 public:
  // `shared`: of the same vocabulary, or null.
  TokenMasks(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const Vocabulary> vocabulary,
             std::shared_ptr<SharedMasks> shared = nullptr);

  const std::shared_ptr<const Grammar>& grammar() const { return grammar_; }
  const Vocabulary& vocabulary() const { return *vocabulary_; }

  // Sets in bits [mask_words()] those of the tokens that may come next, and clears all others. `stack` is used to try
  // bytes, and left as it was. invalid_argument when the grammar is too ambiguous for its limits.
  Result<void> fill(ParseStack& stack, std::span<uint64_t> bits);
  // Bytes of masks that are kept.
  size_t cached_bytes() const;

 private:
  class Walk;
  class Maker;
  Result<std::shared_ptr<const StateMask>> mask_of(uint32_t state);
  Result<std::shared_ptr<const StateMask>> make_mask(uint32_t state) const;
  Result<void> compute(ParseStack& stack, std::span<uint64_t> bits);
  Result<void> add_exits(ParseStack& stack, uint32_t node, const StateMask& mask,
                         std::span<uint64_t> bits) const;
  void make_room(size_t bytes);

  const std::shared_ptr<const Grammar> grammar_;
  const std::shared_ptr<const Vocabulary> vocabulary_;
  const std::shared_ptr<SharedMasks> shared_;
  std::vector<SharedMasks::RuleKey> keys_;  // of the rules
  mutable std::mutex mutex_;                // of all below
  std::unordered_map<uint32_t, std::shared_ptr<const StateMask>> states_;
  std::unordered_map<uint64_t, std::shared_ptr<const TokenSet>> whole_;  // by hash of the stack
  size_t cached_bytes_ = 0;
};

}  // namespace quern::grammar
