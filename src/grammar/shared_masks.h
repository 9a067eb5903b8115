// Masks of rules that many grammars have alike: strings, numbers, dates. A string is a string in any schema, however long it may be,
// and finding its mask takes a walk over all tokens.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/state_mask.h"

namespace quern::grammar {

// For one vocabulary. Thread-safe.
class SharedMasks {
 public:
  using RuleKey = uint32_t;
  static constexpr RuleKey kNone = 0;

  // A key for each rule: the same one only where the masks of all its states are the same, in whatever grammar. None for rules that
  // come back to themselves.
  std::vector<RuleKey> keys_of(const Grammar& grammar);

  // Null where it is not known. `state` counts from the rule's first.
  std::shared_ptr<const StateMask> find(RuleKey key, uint32_t state) const;
  void keep(RuleKey key, uint32_t state, const std::shared_ptr<const StateMask>& mask);

 private:
  RuleKey intern(std::string description);

  static constexpr size_t kMostBytes = size_t{64} << 20;  // past them, everything is forgotten

  mutable std::mutex mutex_;
  std::map<std::string, RuleKey> keys_;
  std::map<std::pair<RuleKey, uint32_t>, std::shared_ptr<const StateMask>> masks_;
  size_t bytes_ = 0;
  RuleKey next_ = 1;  // none is given twice
};

}  // namespace quern::grammar
