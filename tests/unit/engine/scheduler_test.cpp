#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"
#include "ops/kv_store.h"

namespace quern::engine {
namespace {

using ops::kKvSlots;
using testing::ElementsAre;

// Of a text's beginning: what a cache should hold for its last token.
uint64_t digest(std::span<const int32_t> tokens) {
  uint64_t hash = 1469598103934665603u;
  for (const int32_t token : tokens) hash = (hash ^ static_cast<uint64_t>(token + 1)) * 1099511628211u;
  return hash;
}

// A model that remembers, for every slot of every block, which text was computed there, and fails the test where a token
// is computed in sight of anything else. Its next token follows from all of the text.
class Mock {
 public:
  explicit Mock(int64_t blocks) : memory_(static_cast<size_t>(blocks * kKvSlots)) {}

  void run(Scheduler& scheduler, const Plan& plan) {
    for (const Plan::Copy& copy : plan.copies) {
      std::copy_n(memory_.begin() + copy.from * kKvSlots, kKvSlots, memory_.begin() + copy.to * kKvSlots);
    }
    for (const Piece& piece : plan.pieces) {
      const auto tokens = scheduler.tokens(piece.id);
      const auto blocks = scheduler.blocks(piece.id);
      ASSERT_GE(static_cast<int64_t>(blocks.size()) * kKvSlots, piece.begin + piece.count);
      for (int64_t i = 0; i < piece.begin + piece.count; ++i) {
        uint64_t& slot =
            memory_[static_cast<size_t>(blocks[static_cast<size_t>(i / kKvSlots)] * kKvSlots + i % kKvSlots)];
        const uint64_t expected = digest(tokens.first(static_cast<size_t>(i + 1)));
        if (i >= piece.begin) slot = expected;
        ASSERT_EQ(slot, expected) << "sequence " << piece.id << ", token " << i;
      }
      computed += piece.count;
    }
  }
  static int32_t next(std::span<const int32_t> tokens) { return static_cast<int32_t>(digest(tokens) % 1000); }

  int64_t computed = 0;

 private:
  std::vector<uint64_t> memory_;
};

std::vector<int32_t> random_tokens(Rng& rng, int64_t count, int32_t vocab = 1000) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocab))));
  return tokens;
}

// Plans, computes and answers until nothing is left: `wanted` tokens of each sequence.
class Traffic {
 public:
  Traffic(const SchedulerLimits& limits, int64_t blocks)
      : scheduler(limits, blocks), mock(blocks), limits_(limits) {}

  void add(SequenceId id, SequenceSpec spec, int64_t wanted) {
    wanted_[id] = wanted;
    prompts[id] = spec.tokens;
    scheduler.add(id, std::move(spec));
  }
  // From now on the scheduler is given guesses at what sequences say, each right with this chance.
  void guess(double chance) { chance_ = chance; }
  // One pass; false when there was nothing to do.
  bool step() {
    Plan plan = scheduler.next();
    preempted += static_cast<int64_t>(plan.preempted.size());
    if (plan.pieces.empty()) return false;
    int64_t prompt_tokens = 0;
    std::set<SequenceId> seen;
    for (const Piece& piece : plan.pieces) {
      EXPECT_TRUE(seen.insert(piece.id).second);
      EXPECT_GT(piece.count, 0);
      if (piece.count > 1) prompt_tokens += piece.count;
    }
    EXPECT_LE(prompt_tokens, limits_.tokens);
    EXPECT_LE(scheduler.running(), limits_.sequences);
    if (chance_ >= 0.0) guess(plan);
    mock.run(scheduler, plan);
    for (Piece& piece : plan.pieces) accept(piece);
    scheduler.commit(plan);
    for (const Piece& piece : plan.pieces) {
      if (!piece.last) continue;
      const int32_t token = Mock::next(scheduler.tokens(piece.id));
      answers[piece.id].push_back(token);
      if (--wanted_[piece.id] == 0) {
        scheduler.remove(piece.id);
        finished.push_back(piece.id);
      } else {
        scheduler.append(piece.id, token);
      }
    }
    return true;
  }
  void all(int passes = 100000) {
    while (passes-- > 0 && step()) {
    }
    EXPECT_TRUE(scheduler.empty());
  }
  // What the mock says alone.
  static std::vector<int32_t> alone(std::vector<int32_t> tokens, size_t count) {
    std::vector<int32_t> answer;
    while (answer.size() < count) {
      answer.push_back(Mock::next(tokens));
      tokens.push_back(answer.back());
    }
    return answer;
  }

  Scheduler scheduler;
  Mock mock;
  std::map<SequenceId, std::vector<int32_t>> prompts, answers;
  std::vector<SequenceId> finished;
  int64_t preempted = 0, guessed = 0, accepted = 0;

 private:
  // Guesses for some of the pieces that answer, in the room that the pass has; never more than will be appended.
  void guess(Plan& plan) {
    for (Piece& piece : plan.pieces) {
      const auto most = std::min<int64_t>(
          {static_cast<int64_t>(rng_.below(16)), scheduler.spare(plan), wanted_[piece.id] - 1});
      if (!piece.last || most < 1) continue;
      auto text = std::vector(scheduler.tokens(piece.id).begin(), scheduler.tokens(piece.id).end());
      const size_t known = text.size();
      while (text.size() < known + static_cast<size_t>(most))
        text.push_back(rng_.uniform() < chance_ ? Mock::next(text) : 1001);
      scheduler.guess(piece, std::span(text).subspan(known));
      EXPECT_LE(piece.guessed, most);
      guessed += piece.guessed;
    }
  }
  // As the engine does, and passes on what was right.
  void accept(Piece& piece) {
    const auto tokens = scheduler.tokens(piece.id);
    const size_t known = tokens.size() - static_cast<size_t>(piece.guessed);
    for (size_t i = known; i < tokens.size() && tokens[i] == Mock::next(tokens.first(i)); ++i) {
      answers[piece.id].push_back(tokens[i]);
      --wanted_[piece.id];
      ++piece.accepted;
    }
    accepted += piece.accepted;
  }

  SchedulerLimits limits_;
  std::map<SequenceId, int64_t> wanted_;
  double chance_ = -1.0;
  Rng rng_{1, 11};
};

TEST(Scheduler, PromptsComeInPiecesAndAnswersAreNeverPutOff) {
  Traffic run({.tokens = 100}, 64);
  Rng rng(1, 1);
  run.add(1, {.tokens = random_tokens(rng, 10)}, 5);
  ASSERT_TRUE(run.step());
  run.add(2, {.tokens = random_tokens(rng, 250)}, 1);
  const Plan plan = run.scheduler.next();
  ASSERT_EQ(plan.pieces.size(), 2u);
  EXPECT_EQ(plan.pieces[0].id, 1);
  EXPECT_EQ(plan.pieces[0].count, 1);
  EXPECT_TRUE(plan.pieces[0].last);
  EXPECT_EQ(plan.pieces[1].count, 99);
  EXPECT_FALSE(plan.pieces[1].last);
}

TEST(Scheduler, APromptThatIsKnownIsNotComputedAgain) {
  Traffic run({}, 64);
  Rng rng(1, 2);
  const auto text = random_tokens(rng, 1000);
  run.add(1, {.tokens = text}, 1);
  run.all();
  auto longer = text;
  for (const int32_t token : random_tokens(rng, 30)) longer.push_back(token);
  const int64_t before = run.mock.computed;
  run.add(2, {.tokens = longer}, 1);
  run.all();
  EXPECT_EQ(run.mock.computed - before, 30);  // even the block that was not full is known
}

TEST(Scheduler, PromptsThatBeginAlikeAtOnceComputeTheBeginningOnce) {
  Traffic run({.tokens = 256}, 400);
  Rng rng(1, 3);
  const auto shared = random_tokens(rng, 1000);
  for (SequenceId id = 0; id < 64; ++id) {
    auto tokens = shared;
    for (const int32_t token : random_tokens(rng, 50)) tokens.push_back(token);
    run.add(id, {.tokens = tokens}, 3);
  }
  run.all();
  EXPECT_LE(run.mock.computed, 1000 + 64 * 50 + 64 * 2);
  for (const auto& [id, answer] : run.answers) EXPECT_EQ(answer, Traffic::alone(run.prompts[id], 3)) << id;
}

TEST(Scheduler, OtherScopesAndSequencesThatMayNotReuseComputeAll) {
  Traffic run({}, 64);
  Rng rng(1, 4);
  const auto text = random_tokens(rng, 300);
  run.add(1, {.tokens = text, .scope = "a"}, 1);
  run.all();
  run.add(2, {.tokens = text, .scope = "b"}, 1);
  run.add(3, {.tokens = text, .scope = "a", .reuse = false}, 1);
  run.all();
  EXPECT_EQ(run.mock.computed, 900);
}

TEST(Scheduler, PriorityIsAHeadStartAndNobodyWaitsForEver) {
  Traffic run({.sequences = 1, .patience = 10}, 64);
  Rng rng(1, 5);
  const auto spec = [&](int64_t priority, double arrival) {
    return SequenceSpec{.tokens = random_tokens(rng, 5), .priority = priority, .arrival = arrival};
  };
  run.add(1, spec(0, 0), 2);
  ASSERT_TRUE(run.step());
  run.add(2, spec(1, 1), 1);  // goes before whoever comes ten seconds after it
  run.add(3, spec(0, 5), 1);
  run.add(4, spec(0, 20), 1);
  run.add(5, spec(-1, 20), 1);
  run.all();
  EXPECT_THAT(run.finished, ElementsAre(1, 3, 5, 2, 4));
}

TEST(Scheduler, WhereBlocksRunOutTheLastGivesUpItsOwn) {
  Traffic run({.tokens = 512}, 8);
  Rng rng(1, 6);
  for (SequenceId id = 0; id < 3; ++id)
    run.add(id, {.tokens = random_tokens(rng, 100), .arrival = 1.0 * id}, 250);
  run.all();
  EXPECT_GT(run.preempted, 0);
  EXPECT_EQ(run.finished.front(), 0);
  for (const auto& [id, answer] : run.answers) EXPECT_EQ(answer, Traffic::alone(run.prompts[id], 250)) << id;
}

TEST(Scheduler, CancelledInAnyStateABlockReturns) {
  Traffic run({.tokens = 64, .sequences = 2}, 32);
  Rng rng(1, 7);
  for (SequenceId id = 0; id < 4; ++id) run.add(id, {.tokens = random_tokens(rng, 200)}, 10);
  run.step();
  for (SequenceId id = 0; id < 4; ++id) run.scheduler.remove(id);
  EXPECT_TRUE(run.scheduler.empty());
  EXPECT_EQ(run.scheduler.pool().available(), 32);
}

TEST(Scheduler, AFailedPassLeavesNothing) {
  Scheduler scheduler({}, 16);
  Rng rng(1, 8);
  const auto text = random_tokens(rng, 100);
  scheduler.add(1, {.tokens = text});
  scheduler.abandon(scheduler.next());
  EXPECT_TRUE(scheduler.empty());
  EXPECT_EQ(scheduler.pool().available(), 16);
  EXPECT_EQ(scheduler.pool().remembered(), 0);
}

// Requests of all kinds come and go while blocks are scarce: every token is computed in sight of its own text, each
// answer is what the sequence would say alone, and all blocks come back.
class RandomTraffic : public testing::TestWithParam<double> {
};  // the chance of guesses; below 0: there are none

INSTANTIATE_TEST_SUITE_P(Guesses, RandomTraffic, testing::Values(-1.0, 0.0, 0.9, 1.0));

TEST_P(RandomTraffic, EveryAnswerIsThatAlone) {
  int64_t guessed = 0, accepted = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Rng rng(seed, 9);
    const int64_t blocks = 12 + static_cast<int64_t>(rng.below(40));
    Traffic run({.tokens = 16 + static_cast<int64_t>(rng.below(300)),
                 .sequences = 1 + static_cast<int64_t>(rng.below(12))},
                blocks);
    run.guess(GetParam());
    std::vector<std::vector<int32_t>> openings;
    for (int i = 0; i < 3; ++i) openings.push_back(random_tokens(rng, static_cast<int64_t>(rng.below(300))));
    std::map<SequenceId, int64_t> wanted;
    SequenceId next = 0;
    while (next < 40 || !run.scheduler.empty()) {
      while (next < 40 && rng.below(3) == 0) {
        auto tokens = openings[rng.below(3)];
        for (const int32_t token : random_tokens(rng, 1 + static_cast<int64_t>(rng.below(150)), 3))
          tokens.push_back(token);
        wanted[next] = 1 + static_cast<int64_t>(rng.below(120));
        run.add(next,
                {.tokens = tokens,
                 .scope = rng.below(4) == 0 ? "other" : "",
                 .priority = static_cast<int64_t>(rng.below(3)),
                 .arrival = static_cast<double>(next)},
                wanted[next]);
        ++next;
      }
      if (!run.step() && next == 40) break;
      if (rng.below(20) == 0 && next > 0) {
        const auto victim = static_cast<SequenceId>(rng.below(static_cast<uint64_t>(next)));
        if (run.scheduler.holds(victim)) {
          run.scheduler.remove(victim);
          wanted.erase(victim);
          run.answers.erase(victim);
        }
      }
      if (HasFatalFailure()) return;
    }
    EXPECT_TRUE(run.scheduler.empty()) << "seed " << seed;
    EXPECT_EQ(run.scheduler.pool().available(), blocks) << "seed " << seed;
    for (const auto& [id, count] : wanted) {
      EXPECT_EQ(run.answers[id], Traffic::alone(run.prompts[id], static_cast<size_t>(count)))
          << "seed " << seed << ", " << id;
    }
    guessed += run.guessed;
    accepted += run.accepted;
  }
  EXPECT_EQ(guessed > 0, GetParam() >= 0.0);
  EXPECT_EQ(accepted > 0, GetParam() > 0.0);
  if (GetParam() == 1.0) {
    EXPECT_EQ(accepted, guessed);
  }
}

TEST(Scheduler, GuessesTakeFreeBlocksOnlyAndGiveThemBack) {
  Scheduler scheduler({}, 3);
  Rng rng(1, 10);
  scheduler.add(1, {.tokens = random_tokens(rng, 60)});
  Plan plan = scheduler.next();
  EXPECT_EQ(scheduler.spare(plan), SchedulerLimits().tokens - 60);
  const auto guesses = random_tokens(rng, 200);
  scheduler.guess(plan.pieces[0], guesses);
  EXPECT_EQ(plan.pieces[0].guessed, 192 - 60);
  EXPECT_EQ(plan.pieces[0].count, 192);
  EXPECT_EQ(scheduler.tokens(1).size(), 192u);
  EXPECT_EQ(scheduler.blocks(1).size(), 3u);
  plan.pieces[0].accepted = 3;
  scheduler.commit(plan);
  EXPECT_EQ(scheduler.tokens(1).size(), 63u);
  EXPECT_EQ(scheduler.pool().available(), 2);
  scheduler.append(1, 7);
  plan = scheduler.next();
  EXPECT_EQ(plan.pieces[0].begin, 63);
  EXPECT_EQ(plan.pieces[0].count, 1);
  // What was wrong is not remembered: a text that goes on like it computes it.
  scheduler.commit(plan);
  auto text = std::vector(scheduler.tokens(1).begin(), scheduler.tokens(1).end());
  text.resize(63);
  scheduler.remove(1);
  for (const int32_t token : std::span(guesses).subspan(3, 20)) text.push_back(token);
  scheduler.add(2, {.tokens = text});
  EXPECT_EQ(scheduler.next().pieces[0].begin, 63);
}

}  // namespace
}  // namespace quern::engine
