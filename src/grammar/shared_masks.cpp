#include "grammar/shared_masks.h"

#include <fmt/format.h>

#include <iterator>

namespace quern::grammar {

namespace {

// What the mask of a rule's states depends on, as text, given the keys of the rules it calls. How often a counted rule turns is not
// of it: its masks tell tokens by turns.
std::string describe(const Grammar& grammar, const Grammar::Rule& rule,
                     const std::vector<SharedMasks::RuleKey>& keys) {
  std::string text =
      fmt::format("{} {} {};", rule.counted(), rule.start - rule.first_state, rule.followers.to_string());
  const auto out = std::back_inserter(text);
  for (uint32_t id = rule.first_state; id < rule.last_state; ++id) {
    const Grammar::State& state = grammar.state(id);
    text += state.accepting ? '!' : '.';
    for (const Automaton::ByteEdge& edge : grammar.bytes(state))
      fmt::format_to(out, "{}-{}>{} ", edge.first, edge.last, edge.target - rule.first_state);
    for (const Grammar::Call& call : grammar.calls(state)) {
      const Grammar::Rule& callee = grammar.rule(call.rule);
      fmt::format_to(out, "{}*{}-{}{}>{} ", keys[call.rule], callee.least, callee.most,
                     callee.nullable ? "?" : "", call.target - rule.first_state);
    }
  }
  return text;
}

// Rules in an order in which each comes after those it calls; without those that come back to themselves, and their callers.
std::vector<uint32_t> callees_first(const Grammar& grammar) {
  std::vector<uint32_t> waiting(grammar.rule_count());  // calls that are not resolved
  std::vector<std::vector<uint32_t>> callers(grammar.rule_count());
  std::vector<uint32_t> order;
  for (uint32_t rule = 0; rule < grammar.rule_count(); ++rule) {
    for (uint32_t id = grammar.rule(rule).first_state; id < grammar.rule(rule).last_state; ++id) {
      for (const Grammar::Call& call : grammar.calls(grammar.state(id))) {
        ++waiting[rule];
        callers[call.rule].push_back(rule);
      }
    }
    if (waiting[rule] == 0) order.push_back(rule);
  }
  for (size_t i = 0; i < order.size(); ++i) {
    for (const uint32_t caller : callers[order[i]]) {
      if (--waiting[caller] == 0) order.push_back(caller);
    }
  }
  return order;
}

}  // namespace

std::vector<SharedMasks::RuleKey> SharedMasks::keys_of(const Grammar& grammar) {
  constexpr uint32_t kMostStates = 1024;  // of a rule that others may have, too
  std::vector<RuleKey> keys(grammar.rule_count(), kNone);
  for (const uint32_t rule : callees_first(grammar)) {
    const Grammar::Rule& described = grammar.rule(rule);
    bool known =
        described.start != Grammar::kNone && described.last_state - described.first_state <= kMostStates;
    for (uint32_t id = described.first_state; id < described.last_state && known; ++id) {
      for (const Grammar::Call& call : grammar.calls(grammar.state(id)))
        known = known && keys[call.rule] != kNone;
    }
    if (known) keys[rule] = intern(describe(grammar, described, keys));
  }
  return keys;
}

SharedMasks::RuleKey SharedMasks::intern(std::string description) {
  const std::lock_guard lock(mutex_);
  const size_t size = description.size();
  const auto [place, is_new] = keys_.try_emplace(std::move(description), next_);
  const RuleKey key = place->second;
  if (!is_new) return key;
  ++next_;
  bytes_ += size;
  if (bytes_ > kMostBytes) {
    keys_.clear();
    masks_.clear();
    bytes_ = 0;
  }
  return key;
}

std::shared_ptr<const StateMask> SharedMasks::find(RuleKey key, uint32_t state) const {
  const std::lock_guard lock(mutex_);
  const auto found = masks_.find({key, state});
  return found == masks_.end() ? nullptr : found->second;
}

void SharedMasks::keep(RuleKey key, uint32_t state, const std::shared_ptr<const StateMask>& mask) {
  const std::lock_guard lock(mutex_);
  if (bytes_ + mask->size_bytes() > kMostBytes) {
    keys_.clear();
    masks_.clear();
    bytes_ = 0;
  }
  bytes_ += mask->size_bytes();
  masks_.try_emplace({key, state}, mask);
}

}  // namespace quern::grammar
