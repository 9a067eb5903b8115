#include "engine/speculation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quern::engine {

namespace {

constexpr int64_t kProbe = 64;        // passes in a row after which the other choice is tried once
constexpr double kSurest = 0.98;      // chance: none is certain
constexpr double kFirstChance = 0.7;  // before anything is known
constexpr double kPrior = 2.0;        // tokens that what is known of others weighs
constexpr double kMemory = 0.9, kLongMemory = 0.995;  // that a pass leaves, of a sequence and of all
constexpr double kLatestStep = 0.2;                   // of the latest of step_seconds_
constexpr int64_t kFewUnread = 32;                    // tokens that a proposer reads in no time

}  // namespace

void Speculation::Chance::add(double tokens_right, double tokens_tried, double memory) {
  right = memory * right + tokens_right;
  tried = memory * tried + tokens_tried;
}

double Speculation::chance(const Guess& guess) const {
  const auto kind = static_cast<size_t>(guess.kind);
  const Chance& all = all_[kind];
  double chance = (all.right + kPrior * kFirstChance) / (all.tried + kPrior);
  if (const auto own = own_.find(guess.id); own != own_.end())
    chance = (own->second[kind].right + kPrior * chance) / (own->second[kind].tried + kPrior);
  return std::min(chance, kSurest);
}

// The most worthy first, at most `budget`.
std::vector<Speculation::Step> Speculation::steps(std::span<const Guess> guesses, int64_t budget) const {
  std::vector<Step> steps;
  for (size_t i = 0; i < guesses.size(); ++i) {
    const double each = chance(guesses[i]);
    double worth = 1.0;
    for (int64_t depth = 1; depth <= guesses[i].most; ++depth) {
      worth *= each;
      steps.push_back({worth, i, depth});
    }
  }
  std::ranges::stable_sort(steps, std::ranges::greater(), &Step::worth);
  steps.resize(std::min(steps.size(), static_cast<size_t>(std::max<int64_t>(budget, 0))));
  return steps;
}

// How many of the steps, one at least where `some`, bring the most tokens per second.
size_t Speculation::best_count(std::span<const Step> steps, size_t sequences, bool some) const {
  const auto rows = static_cast<int64_t>(sequences);
  auto tokens = static_cast<double>(sequences);
  double best = some ? 0.0 : tokens / costs_.seconds(rows);
  int64_t depth = 0;
  size_t count = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    tokens += steps[i].worth;
    depth = std::max(depth, steps[i].depth);
    const double seconds =
        costs_.seconds(rows + static_cast<int64_t>(i) + 1) + step_seconds_ * static_cast<double>(depth);
    if (tokens / seconds <= best) continue;
    best = tokens / seconds;
    count = i + 1;
  }
  return count;
}

// How many of the steps to take: the best, and now and then something else, to see what that takes by now.
size_t Speculation::worthwhile(std::span<const Step> steps, size_t sequences) {
  if (!costs_.knows(static_cast<int64_t>(sequences))) return 0;
  const size_t best = best_count(steps, sequences, false);
  if (++since_probe_ < kProbe) return best;
  since_probe_ = 0;
  if (best == 0) return best_count(steps, sequences, true);
  probe_ = std::fmod(probe_ + std::numbers::phi, 1.0);  // goes everywhere evenly
  return static_cast<size_t>(probe_ * static_cast<double>(steps.size() + 1));
}

void Speculation::guess(std::span<Guess> guesses, int64_t budget, const std::function<double()>& clock) {
  for (Guess& guess : guesses) {
    if (guess.most > 0) proposer_->look(guess);
  }
  const std::vector<Step> all = steps(guesses, budget);
  for (Guess& guess : guesses) guess.most = 0;
  if (all.empty()) return;
  const size_t count = worthwhile(all, guesses.size());
  if (count == 0) return;

  int64_t deepest = 0;
  for (const Step& step : std::span(all).first(count)) {
    guesses[step.guess].most = step.depth;
    deepest = std::max(deepest, step.depth);
  }
  std::vector<Guess*> wanted;
  for (Guess& guess : guesses) {
    if (guess.most > 0) wanted.push_back(&guess);
  }
  const bool typical = std::ranges::all_of(wanted, [](const Guess* g) { return g->unread <= kFewUnread; });
  const double start = clock();
  proposer_->propose(wanted);
  const double seconds = (clock() - start) / static_cast<double>(deepest);
  if (typical) step_seconds_ += kLatestStep * (seconds - step_seconds_);
}

void Speculation::learn(const Guess& guess, int64_t verified, int64_t accepted, int32_t chosen) {
  const bool wrong = accepted < verified;
  auto right = static_cast<double>(accepted), tried = right + (wrong ? 1.0 : 0.0);
  if (verified == 0) {
    if (guess.next < 0) return;
    right = guess.next == chosen ? 1.0 : 0.0;
    tried = 1.0;
  }
  const auto kind = static_cast<size_t>(guess.kind);
  all_[kind].add(right, tried, kLongMemory);
  own_[guess.id][kind].add(right, tried, kMemory);
}

void Speculation::forget(SequenceId id) {
  proposer_->forget(id);
  own_.erase(id);
}

}  // namespace quern::engine
