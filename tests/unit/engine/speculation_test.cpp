#include "engine/speculation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace quern::engine {
namespace {

// Guesses zeros. Its steps take time on the test's clock.
class Zeros final : public Proposer {
 public:
  Zeros(double* clock, double step_seconds) : clock_(clock), step_seconds_(step_seconds) {}
  void look(Guess& guess) override { guess.kind = static_cast<int32_t>(guess.id % kKinds); }
  void propose(std::span<Guess*> guesses) override {
    int64_t longest = 0;
    for (Guess* guess : guesses) {
      guess->drafts.assign(static_cast<size_t>(guess->most), 0);
      longest = std::max(longest, guess->most);
    }
    *clock_ += step_seconds_ * static_cast<double>(longest);
  }
  void forget(SequenceId) override {}

 private:
  double* clock_;
  double step_seconds_;
};

// Sequences whose guesses are right with a chance each, on a machine whose passes take `seconds(tokens)`.
class World {
 public:
  World(std::vector<double> chances, std::function<double(int64_t)> seconds, double step_seconds = 0.0)
      : chances_(std::move(chances)),
        seconds_(std::move(seconds)),
        speculation_(std::make_unique<Zeros>(&clock_, step_seconds)) {}

  // Tokens for each second of so many passes.
  double run(int passes) {
    const double start = clock_;
    double tokens = 0.0;
    guessed.assign(chances_.size(), 0);
    guess_passes = 0;
    for (int pass = 0; pass < passes; ++pass) tokens += step();
    return tokens / (clock_ - start);
  }

  std::vector<int64_t> guessed;  // of each sequence
  int guess_passes = 0;

 private:
  double step() {
    std::vector<Guess> guesses;
    for (size_t i = 0; i < chances_.size(); ++i)
      guesses.push_back({.id = static_cast<SequenceId>(i), .tokens = text_, .most = 8});
    speculation_.guess(guesses, 100, [this] { return clock_; });
    auto rows = static_cast<int64_t>(guesses.size());
    for (const Guess& guess : guesses) rows += static_cast<int64_t>(guess.drafts.size());
    const double took = seconds_(rows);
    clock_ += took;
    speculation_.measure(rows, took);
    double tokens = 0.0;
    for (size_t i = 0; i < guesses.size(); ++i) {
      const auto verified = static_cast<int64_t>(guesses[i].drafts.size());
      int64_t accepted = 0;
      while (accepted < verified && rng_.uniform() < chances_[i]) ++accepted;
      speculation_.learn(guesses[i], verified, accepted, 1);
      tokens += static_cast<double>(accepted) + 1.0;
      guessed[i] += verified;
    }
    guess_passes += rows > static_cast<int64_t>(guesses.size()) ? 1 : 0;
    return tokens;
  }

  std::vector<double> chances_;
  std::function<double(int64_t)> seconds_;
  double clock_ = 0.0;
  std::vector<int32_t> text_{1, 2, 3};
  Rng rng_{1, 1};
  Speculation speculation_;
};

double flat(int64_t) { return 0.01; }
double proportional(int64_t tokens) { return 0.01 * static_cast<double>(tokens); }

TEST(Speculation, GuessesAllItMayWhereLongerPassesCostNothing) {
  World world({0.9}, flat);
  world.run(100);
  EXPECT_GT(world.run(100), 5.0 / 0.01);
  EXPECT_GT(world.guessed[0], 770);
}

TEST(Speculation, SwitchesItselfOffWhereItDoesNotPayAndProbes) {
  World world({0.6}, proportional);
  world.run(100);
  EXPECT_GT(world.run(1000), 0.96 / 0.01);
  EXPECT_GT(world.guess_passes, 10);
  EXPECT_LT(world.guess_passes, 20);
}

TEST(Speculation, GuessesAsFarAsStepsPay) {
  // A tile of 4 tokens costs the same: then the next begins.
  const auto tiles = [](int64_t tokens) { return 0.01 * std::ceil(static_cast<double>(tokens) / 4.0); };
  World world({0.8}, tiles);
  world.run(200);
  world.run(640);
  EXPECT_NEAR(static_cast<double>(world.guessed[0]), 3 * 630, 40);
}

TEST(Speculation, TheLikeliestGuessesComeFirst) {
  const auto costly = [](int64_t tokens) { return 0.01 + 0.002 * static_cast<double>(tokens - 2); };
  World world({0.95, 0.1}, costly);
  world.run(300);
  world.run(300);
  EXPECT_GT(world.guessed[0], 1500);
  EXPECT_LT(world.guessed[1], 60);
}

TEST(Speculation, AProposerThatTakesLongerThanItBringsIsNotAsked) {
  World cheap({0.8}, flat, 0.001), dear({0.8}, flat, 0.02);
  cheap.run(100);
  dear.run(100);
  EXPECT_GT(cheap.run(640), 1.5 / 0.01);
  EXPECT_GT(dear.run(640), 0.95 / 0.01);
  EXPECT_LT(dear.guess_passes, 20);
}

TEST(Speculation, ComesBackWhenItPaysAgain) {
  double rest = 0.01;  // of each token but the first
  World world({0.8}, [&](int64_t tokens) { return 0.01 + rest * static_cast<double>(tokens - 1); });
  world.run(300);
  rest = 0.0;
  world.run(1500);
  EXPECT_GT(world.run(200), 3.0 / 0.01);
}

TEST(Speculation, TheBudgetBoundsAllGuesses) {
  double clock = 0.0;
  Speculation speculation(std::make_unique<Zeros>(&clock, 0.0));
  for (int i = 0; i < 3; ++i) speculation.measure(3, 0.01);
  const std::vector<int32_t> text{1};
  for (const int64_t budget : {0, 1, 5, 100}) {
    std::vector<Guess> guesses;
    for (SequenceId id = 0; id < 3; ++id) guesses.push_back({.id = id, .tokens = text, .most = 4});
    speculation.guess(guesses, budget, [&] { return clock; });
    size_t drafts = 0;
    for (const Guess& guess : guesses) drafts += guess.drafts.size();
    EXPECT_LE(drafts, 12u);
    EXPECT_EQ(std::min<size_t>(drafts, 5), static_cast<size_t>(std::min<int64_t>(budget, 5)));
  }
}

}  // namespace
}  // namespace quern::engine
