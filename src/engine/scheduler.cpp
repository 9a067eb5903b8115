#include "engine/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/exception.h"
#include "ops/kv_store.h"

namespace quern::engine {

using ops::kKvSlots;
using ops::kv_blocks_for;

int64_t Plan::tokens() const {
  int64_t count = 0;
  for (const Piece& piece : pieces) count += piece.count;
  return count;
}

void Scheduler::add(SequenceId id, SequenceSpec spec) {
  auto sequence = std::make_unique<Sequence>();
  sequence->id = id;
  sequence->order = spec.arrival + limits_.patience * static_cast<double>(spec.priority);
  sequence->scope = std::move(spec.scope);
  sequence->reuse = spec.reuse;
  sequence->tokens = std::move(spec.tokens);
  waiting_.insert(sequence.get());
  sequences_.emplace(id, std::move(sequence));
}

Plan Scheduler::next() {
  Plan plan;
  const auto answering =
      std::ranges::count_if(running_, [](const Sequence* sequence) { return sequence->left() == 1; });
  int64_t budget = limits_.tokens - answering;
  // Preemption takes from the end, where nothing is planned yet.
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    const bool answers = sequence.left() == 1;
    const int64_t count = answers ? 1 : std::min(sequence.left(), budget);
    if (count < 1) continue;
    if (!make_room(sequence, sequence.computed + count, plan)) break;
    plan_piece(sequence, count, plan);
    if (!answers) budget -= count;
  }
  if (plan.preempted.empty()) admit(budget, plan);
  return plan;
}

void Scheduler::plan_piece(Sequence& sequence, int64_t count, Plan& plan) {
  plan.pieces.push_back(
      {.id = sequence.id, .begin = sequence.computed, .count = count, .last = count == sequence.left()});
}

// Gives the sequence blocks for its first `tokens`, at the cost of those that come after it. False where it was the last
// itself, and lost its own.
bool Scheduler::make_room(Sequence& sequence, int64_t tokens, Plan& plan) {
  while (static_cast<int64_t>(sequence.blocks.size()) < kv_blocks_for(tokens)) {
    if (const std::optional<int32_t> block = pool_.take()) {
      sequence.blocks.push_back(*block);
      continue;
    }
    Sequence& last = *running_.back();
    plan.preempted.push_back(last.id);
    preempt(last);
    if (&last == &sequence) return false;
  }
  return true;
}

// Blocks are released from the end, so that the beginning of a text is remembered longest.
void Scheduler::give_up(Sequence& sequence) {
  waiting_.erase(&sequence);
  std::erase(running_, &sequence);
  for (; !sequence.blocks.empty(); sequence.blocks.pop_back()) pool_.release(sequence.blocks.back());
  sequence.computed = 0;
}

void Scheduler::preempt(Sequence& sequence) {
  give_up(sequence);
  waiting_.insert(&sequence);
}

// Blocks that running sequences will take for tokens they have, and one each for those to come.
int64_t Scheduler::promised() const {
  int64_t blocks = 0;
  for (const Sequence* sequence : running_) {
    const auto tokens = static_cast<int64_t>(sequence->tokens.size());
    blocks += kv_blocks_for(tokens + kKvSlots) - static_cast<int64_t>(sequence->blocks.size());
  }
  return blocks;
}

// Whether another one is computing at least a block more of what the sequence begins with than is `known`.
bool Scheduler::shares_with_running(const Sequence& sequence, int64_t known) const {
  return std::ranges::any_of(running_, [&](const Sequence* other) {
    if (other->left() <= 1 || other->scope != sequence.scope) return false;
    const auto same = std::ranges::mismatch(other->tokens, sequence.tokens).in1 - other->tokens.begin();
    return same >= known + kKvSlots && other->computed < same;
  });
}

// Takes what the pool remembers of the sequence. False, and nothing has changed, where there is no room for the rest.
bool Scheduler::begin(Sequence& sequence, const BlockPool::Match& known, Plan& plan) {
  for (const int32_t block : known.blocks) pool_.hold(block);
  if (known.partial >= 0) pool_.hold(known.partial);
  const int64_t needed = kv_blocks_for(static_cast<int64_t>(sequence.tokens.size()) + 1) -
                         static_cast<int64_t>(known.blocks.size());
  if (pool_.available() < needed + (running_.empty() ? 0 : promised())) {
    if (known.partial >= 0) pool_.release(known.partial);
    for (auto block = known.blocks.rbegin(); block != known.blocks.rend(); ++block) pool_.release(*block);
    return false;
  }
  sequence.blocks = known.blocks;
  sequence.computed = known.tokens();
  if (sequence.reused < 0) sequence.reused = sequence.computed;
  if (known.partial >= 0) {
    sequence.blocks.push_back(*pool_.take());
    plan.copies.push_back({.from = known.partial, .to = sequence.blocks.back()});
  }
  return true;
}

void Scheduler::admit(int64_t budget, Plan& plan) {
  for (auto next = waiting_.begin(); next != waiting_.end() && budget > 0 && running() < limits_.sequences;) {
    Sequence& sequence = **next;
    BlockPool::Match known;
    // The last token is always computed: its logits are what the caller is after.
    if (sequence.reuse) {
      known = pool_.match(sequence.scope, std::span(sequence.tokens).first(sequence.tokens.size() - 1));
      if (shares_with_running(sequence, known.tokens())) {
        ++next;
        continue;
      }
    }
    if (!begin(sequence, known, plan)) return;  // nobody overtakes one that waits for blocks
    next = waiting_.erase(next);
    running_.insert(std::ranges::upper_bound(running_, &sequence, Sooner()), &sequence);
    const int64_t count = std::min(sequence.left(), budget);
    make_room(sequence, sequence.computed + count, plan);
    plan_piece(sequence, count, plan);
    budget -= count;
  }
}

// Nobody gives up a block for a guess, and none is kept for it.
void Scheduler::guess(Piece& piece, std::span<const int32_t> tokens) {
  Sequence& sequence = *sequences_.at(piece.id);
  const auto known = static_cast<int64_t>(sequence.tokens.size());
  const int64_t blocks = kv_blocks_for(known + static_cast<int64_t>(tokens.size()));
  while (static_cast<int64_t>(sequence.blocks.size()) < blocks) {
    const std::optional<int32_t> block = pool_.take();
    if (!block) break;
    sequence.blocks.push_back(*block);
  }
  const int64_t room = static_cast<int64_t>(sequence.blocks.size()) * kKvSlots - known;
  tokens = tokens.first(std::min(tokens.size(), static_cast<size_t>(room)));
  sequence.tokens.insert(sequence.tokens.end(), tokens.begin(), tokens.end());
  piece.guessed = static_cast<int64_t>(tokens.size());
  piece.count += piece.guessed;
}

void Scheduler::commit(const Plan& plan) {
  for (const Plan::Copy& copy : plan.copies) pool_.release(copy.from);
  for (const Piece& piece : plan.pieces) {
    Sequence& sequence = *sequences_.at(piece.id);
    const int64_t wrong = piece.guessed - piece.accepted;
    sequence.tokens.resize(sequence.tokens.size() - static_cast<size_t>(wrong));
    sequence.computed += piece.count - wrong;
    while (static_cast<int64_t>(sequence.blocks.size()) > kv_blocks_for(sequence.computed)) {
      pool_.release(sequence.blocks.back());
      sequence.blocks.pop_back();
    }
    remember(sequence, piece.begin);
  }
}

void Scheduler::abandon(const Plan& plan) {
  for (const Plan::Copy& copy : plan.copies) pool_.release(copy.from);
  for (const Piece& piece : plan.pieces) remove(piece.id);
}

// Tells the pool what the blocks hold from token `begin` on.
void Scheduler::remember(Sequence& sequence, int64_t begin) {
  const auto computed = std::span(sequence.tokens).first(static_cast<size_t>(sequence.computed));
  for (int64_t i = begin / kKvSlots; i < kv_blocks_for(sequence.computed); ++i) {
    const auto rest = computed.subspan(static_cast<size_t>(i * kKvSlots));
    const auto index = static_cast<size_t>(i);
    const int32_t parent = i == 0 ? -1 : sequence.blocks[index - 1];
    sequence.blocks[index] = pool_.remember(sequence.scope, parent, sequence.blocks[index],
                                            rest.first(std::min<size_t>(kKvSlots, rest.size())));
  }
}

void Scheduler::append(SequenceId id, int32_t token) {
  Sequence& sequence = *sequences_.at(id);
  if (sequence.left() != 0) throw InternalError("[scheduler] expected a sequence that is computed");
  sequence.tokens.push_back(token);
}

void Scheduler::restart(SequenceId id, std::vector<int32_t> tokens, std::string scope) {
  Sequence& sequence = *sequences_.at(id);
  preempt(sequence);
  sequence.tokens = std::move(tokens);
  sequence.scope = std::move(scope);
}

void Scheduler::remove(SequenceId id) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return;
  give_up(*found->second);
  sequences_.erase(found);
}

}  // namespace quern::engine
