// Which tokens of which sequences the next forward pass computes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/block_pool.h"

namespace quern::engine {

using SequenceId = int64_t;

struct SchedulerLimits {
  int64_t tokens = 512;    // of one pass, but for tokens that follow an answer, which are never put off
  int64_t sequences = 64;  // at a time
  double patience =
      10.0;  // seconds that a step of priority is worth: who waits longer goes first, whoever comes
};

struct SequenceSpec {
  std::vector<int32_t> tokens;  // what it begins with; not empty
  std::string scope = {};       // BlockPool's
  int64_t priority = 0;         // the smaller, the sooner
  double arrival = 0.0;         // seconds
  bool reuse = true;            // may begin with what the pool remembers
};

// Tokens [begin, begin + count) of a sequence.
struct Piece {
  SequenceId id = 0;
  int64_t begin = 0;
  int64_t count = 0;
  bool last = false;  // holds the last known token, whose logits choose the next
  // Of `count`, the last so many are guesses at what follows the last known token (Scheduler::guess); the first so many of
  // them turned out to be right, as the caller says before commit().
  int64_t guessed = 0, accepted = 0;
};

struct Plan {
  struct Copy {
    int32_t from = 0, to = 0;
  };
  std::vector<Copy> copies;  // of blocks, before the pass
  std::vector<Piece> pieces;
  std::vector<SequenceId> preempted;  // lost their blocks and wait again
  int64_t tokens() const;
};

// Continuous batching (Yu et al. 2022, Orca) with prompts in pieces (Agrawal et al. 2024, Sarathi, arXiv 2403.02310): every
// sequence that answers gets its token in each pass, the rest of the pass goes to prompts, in order of their arrival and
// priority. A prompt that begins as one does that is just being computed waits for it, and shares its blocks. Where blocks
// run out, the last in order gives up its own and computes them again later. A function of the calls alone: no clock, no
// thread, no model. Not thread-safe.
//
// next(), guess() where a sequence may go on in a known way, the pass, commit(), then append() or remove() for each
// sequence whose piece was `last`.
class Scheduler {
 public:
  Scheduler(const SchedulerLimits& limits, int64_t blocks) : limits_(limits), pool_(blocks) {}

  // Preconditions: a new id; the pool is large enough for the sequence alone with all that will be appended.
  void add(SequenceId id, SequenceSpec spec);
  // A piece for as many sequences as fit; empty when there is nothing to compute.
  Plan next();
  // Tokens that one more pass could take beside the plan's.
  int64_t spare(const Plan& plan) const { return limits_.tokens - plan.tokens(); }
  // Lets a piece that is `last` compute guesses at what follows, too: as many as blocks are free for. Preconditions:
  // once for a piece, of a plan that next() made last.
  void guess(Piece& piece, std::span<const int32_t> tokens);
  // The plan's pieces are computed. Guesses that were wrong are gone: no block remembers them.
  void commit(const Plan& plan);
  // Instead of commit(): they were not, and their sequences are gone.
  void abandon(const Plan& plan);
  // Precondition: all its tokens are computed.
  void append(SequenceId id, int32_t token);
  // Goes on as a sequence of other tokens, in its old place in the order.
  void restart(SequenceId id, std::vector<int32_t> tokens, std::string scope);
  // Ends a sequence, whatever its state; what it computed is remembered. Not between next() and commit().
  void remove(SequenceId id);

  bool empty() const { return sequences_.empty(); }
  bool holds(SequenceId id) const { return sequences_.contains(id); }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  // Until commit(), with guesses at their end.
  std::span<const int32_t> tokens(SequenceId id) const { return sequences_.at(id)->tokens; }
  std::span<const int32_t> blocks(SequenceId id) const { return sequences_.at(id)->blocks; }
  // Tokens that it did not compute when it began, because the pool remembered them.
  int64_t reused(SequenceId id) const { return sequences_.at(id)->reused; }
  const BlockPool& pool() const { return pool_; }

 private:
  struct Sequence {
    SequenceId id = 0;
    double order = 0.0;  // arrival, moved by priority
    std::string scope;
    bool reuse = true;
    std::vector<int32_t> tokens;
    std::vector<int32_t> blocks;
    int64_t computed = 0;
    int64_t reused = -1;  // -1: it never began

    int64_t left() const { return static_cast<int64_t>(tokens.size()) - computed; }
  };
  struct Sooner {
    bool operator()(const Sequence* a, const Sequence* b) const {
      return a->order != b->order ? a->order < b->order : a->id < b->id;
    }
  };

  void plan_piece(Sequence& sequence, int64_t count, Plan& plan);
  bool make_room(Sequence& sequence, int64_t tokens, Plan& plan);
  void give_up(Sequence& sequence);
  void preempt(Sequence& sequence);
  int64_t promised() const;
  bool shares_with_running(const Sequence& sequence, int64_t known) const;
  bool begin(Sequence& sequence, const BlockPool::Match& known, Plan& plan);
  void admit(int64_t budget, Plan& plan);
  void remember(Sequence& sequence, int64_t begin);

  SchedulerLimits limits_;
  BlockPool pool_;
  std::map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::set<Sequence*, Sooner> waiting_;
  std::vector<Sequence*> running_;  // the soonest first
};

}  // namespace quern::engine
