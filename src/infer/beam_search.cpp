#include "infer/beam_search.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "infer/branches.h"
#include "infer/sampling.h"

namespace quern::infer {

namespace {

// Sums are floats, as in transformers, so that choices between answers that are nearly alike are the same. A beam that
// stands for nobody yet has this score.
constexpr float kNobody = -1e9f;

struct BeamStep {
  float score;
  int64_t beam;
  int32_t token;
  bool stops;
};

bool better(const BeamStep& a, const BeamStep& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

class BeamSearch {
 public:
  BeamSearch(const Session& session, const BeamOptions& options)
      : options_(options),
        branches_(session, options.beams, options.max_tokens),
        prompt_(static_cast<int64_t>(session.tokens().size())),
        running_(static_cast<size_t>(options.beams), Running{session.tokens(), kNobody}) {
    running_.front().score = 0.0f;
  }

  // Adds a token to every beam; false when the search is over.
  bool step() {
    const std::vector<BeamStep> candidates = best_candidates();
    finish(candidates);
    const bool open = std::ranges::any_of(candidates, [](const BeamStep& c) { return !c.stops; });
    if (!open) return false;
    const std::vector<BeamStep> next = continued(candidates);
    extend(next);
    if (!may_improve() || (full() && options_.early_stopping == EarlyStopping::yes)) return false;
    std::vector<int64_t> from;
    std::vector<int32_t> tokens;
    for (const BeamStep& c : next) from.push_back(c.beam), tokens.push_back(c.token);
    branches_.advance(from, tokens);
    return true;
  }

  std::vector<Beam> answers() const {
    std::vector<Beam> result;
    for (const Finished& f : finished_) result.push_back({f.tokens, static_cast<double>(f.score), f.ended});
    return result;
  }

 private:
  struct Running {
    std::vector<int32_t> tokens;  // with the prompt
    float score;
  };
  struct Finished {
    std::vector<int32_t> tokens;
    float score;
    bool ended;
  };

  int64_t generated() const { return static_cast<int64_t>(running_.front().tokens.size()) - prompt_; }
  bool full() const { return finished_.size() == running_.size(); }
  bool ends(int32_t token) const {
    return std::ranges::find(options_.end_tokens, token) != options_.end_tokens.end();
  }
  // A sum of log-probabilities of `length` tokens as a score.
  float normalised(float sum, int64_t length) const {
    return sum / static_cast<float>(std::pow(static_cast<double>(length), options_.length_penalty));
  }

  // The log-probabilities of what may follow a beam.
  std::vector<float> scores_of(int64_t beam) const {
    const std::span<const float> logits = branches_.logits(beam);
    const double normaliser = log_sum_exp(logits);
    std::vector<float> scores(logits.size());
    for (size_t i = 0; i < scores.size(); ++i)
      scores[i] = static_cast<float>(static_cast<double>(logits[i]) - normaliser);
    const std::vector<int32_t>& tokens = running_[static_cast<size_t>(beam)].tokens;
    if (options_.repetition_penalty != 1.0) {
      for (const int32_t token : std::set<int32_t>(tokens.begin(), tokens.end()))
        scores[static_cast<size_t>(token)] *= static_cast<float>(options_.repetition_penalty);
    }
    apply(options_.rules, {tokens, generated(), options_.max_tokens, options_.end_tokens}, scores);
    return scores;
  }

  // So many that enough of them go on even if every end token is among those of every beam; best first.
  std::vector<BeamStep> best_candidates() const {
    const size_t wanted = running_.size() * std::max<size_t>(2, 1 + options_.end_tokens.size());
    const bool last = generated() + 1 >= options_.max_tokens;
    std::vector<BeamStep> best;  // a heap with the worst at the front
    for (size_t beam = 0; beam < running_.size(); ++beam) {
      const std::vector<float> scores = scores_of(static_cast<int64_t>(beam));
      for (size_t token = 0; token < scores.size(); ++token) {
        const BeamStep candidate{scores[token] + running_[beam].score, static_cast<int64_t>(beam),
                                 static_cast<int32_t>(token), false};
        if (best.size() == wanted) {
          if (!better(candidate, best.front())) continue;
          std::ranges::pop_heap(best, better);
          best.pop_back();
        }
        best.push_back(candidate);
        std::ranges::push_heap(best, better);
      }
    }
    std::ranges::sort(best, better);
    for (BeamStep& candidate : best) candidate.stops = last || ends(candidate.token);
    return best;
  }

  // Those of the first candidates that stop here become answers, where they are better than the worst there is.
  void finish(const std::vector<BeamStep>& candidates) {
    if (full() && options_.early_stopping == EarlyStopping::yes) return;
    for (size_t i = 0; i < std::min(candidates.size(), running_.size()); ++i) {
      const BeamStep& c = candidates[i];
      if (!c.stops || std::isinf(c.score)) continue;
      const std::vector<int32_t>& before = running_[static_cast<size_t>(c.beam)].tokens;
      Finished answer{
          {before.begin() + prompt_, before.end()}, normalised(c.score, generated() + 1), ends(c.token)};
      if (!answer.ended) answer.tokens.push_back(c.token);
      finished_.insert(std::ranges::upper_bound(finished_, answer.score, std::greater{}, &Finished::score),
                       std::move(answer));
      if (finished_.size() > running_.size()) finished_.pop_back();
    }
  }

  // The candidates that the beams go on with.
  std::vector<BeamStep> continued(const std::vector<BeamStep>& candidates) const {
    std::vector<BeamStep> next = candidates;
    for (BeamStep& c : next) c.score += c.stops ? kNobody : 0.0f;
    std::ranges::stable_sort(next, std::greater{}, &BeamStep::score);
    next.resize(running_.size());
    return next;
  }

  void extend(const std::vector<BeamStep>& next) {
    std::vector<Running> extended;
    for (const BeamStep& c : next) {
      extended.push_back({running_[static_cast<size_t>(c.beam)].tokens, c.score});
      extended.back().tokens.push_back(c.token);
    }
    running_ = std::move(extended);
  }

  // Whether the best open beam may still become better than the worst answer.
  bool may_improve() {
    if (!full()) return may_improve_;
    const bool at_the_end = options_.early_stopping == EarlyStopping::never && options_.length_penalty > 0.0;
    const float best = normalised(running_.front().score, at_the_end ? options_.max_tokens : generated());
    return may_improve_ = may_improve_ && best > finished_.back().score;
  }

  const BeamOptions& options_;
  Branches branches_;
  int64_t prompt_;
  std::vector<Running> running_;    // best first
  std::vector<Finished> finished_;  // best first
  bool may_improve_ = true;
};

}  // namespace

std::vector<Beam> beam_search(const Session& session, const BeamOptions& options,
                              const std::function<bool()>& go_on) {
  BeamSearch search(session, options);
  while (go_on() && search.step()) {
  }
  return search.answers();
}

}  // namespace quern::infer
