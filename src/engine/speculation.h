// How many guesses at the next tokens a pass should verify.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>

#include "engine/pass_costs.h"
#include "engine/proposer.h"

namespace quern::engine {

// A guess is worth the chance that it and all before it are right; it costs what a longer pass takes. Both are learnt as
// passes go, the chances for each sequence and kind of guess. Where no guess pays, none is made; one pass in many does
// otherwise, to see whether this still holds. Speculative decoding is Leviathan et al. 2023 (arXiv 2211.17192); here guesses
// count when they are the very tokens that the sequence chooses, so that nothing of it can be seen but the time. Not
// thread-safe.
class Speculation {
 public:
  explicit Speculation(std::unique_ptr<Proposer> proposer) : proposer_(std::move(proposer)) {}

  // Fills the drafts of `guesses`, which are of all sequences of the next pass, one token each: `budget` tokens at most.
  void guess(std::span<Guess> guesses, int64_t budget, const std::function<double()>& clock);
  // The sequence chose `chosen`, after the first `accepted` of the `verified` drafts.
  void learn(const Guess& guess, int64_t verified, int64_t accepted, int32_t chosen);
  // A pass over sequences that answer, with its guesses, took so long.
  void measure(int64_t tokens, double seconds) { costs_.add(tokens, seconds); }
  void forget(SequenceId id);

 private:
  // How often guesses were right; what was long ago counts less.
  struct Chance {
    double right = 0.0, tried = 0.0;
    void add(double tokens_right, double tokens_tried, double memory);
  };
  using Chances = std::array<Chance, Proposer::kKinds>;
  // One more token of a guess.
  struct Step {
    double worth = 0.0;  // tokens that it brings on average
    size_t guess = 0;
    int64_t depth = 0;
  };

  double chance(const Guess& guess) const;
  std::vector<Step> steps(std::span<const Guess> guesses, int64_t budget) const;
  size_t worthwhile(std::span<const Step> steps, size_t sequences);
  size_t best_count(std::span<const Step> steps, size_t sequences, bool some) const;

  std::unique_ptr<Proposer> proposer_;
  PassCosts costs_;
  double step_seconds_ = 0.0;  // of the proposer, for each token of the longest guess
  Chances all_;
  std::unordered_map<SequenceId, Chances> own_;
  int64_t since_probe_ = 0;  // passes
  double probe_ = 0.0;       // the share of the guesses that were tried by the last probe
};

}  // namespace quern::engine
