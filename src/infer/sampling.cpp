#include "infer/sampling.h"

#include <algorithm>
#include <cmath>

namespace quern::infer {

void SamplingOptions::fields(Fields& f) {
  f.add("temperature", temperature, "spread of the choice; 0: always the likeliest token").at_least(0);
  f.add("top_k", top_k, "choose among the k likeliest tokens; 0: all").at_least(0);
  f.add("top_p", top_p, "choose among the fewest tokens with this total probability").range(0, 1);
  f.add("min_p", min_p, "drop tokens below this share of the likeliest one's probability").range(0, 1);
  f.add("typical_p", typical_p, "choose among the most typical tokens with this total probability")
      .range(0, 1);
  f.add("repetition_penalty", repetition_penalty, "above 1 discourages tokens seen in prompt or output")
      .range(0.01, 100);
  f.add("presence_penalty", presence_penalty, "subtracted from the logit of tokens generated before")
      .range(-10, 10);
  f.add("frequency_penalty", frequency_penalty, "subtracted once for each time a token was generated")
      .range(-10, 10);
  f.add("seed", seed, "same seed, same text");
}

namespace {

struct Candidate {
  int32_t id;
  double weight;  // proportional to the probability; logit before softmax_in_place()
};

bool likelier(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

float largest(std::span<const float> logits) {
  float top = -HUGE_VALF;
  bool broken = false;
  for (const float logit : logits) {
    broken = broken || std::isnan(logit);
    top = std::max(top, logit);
  }
  if (!broken && std::isfinite(top)) return top;
  throw Exception(make_error(ErrorCode::corrupt, "the model's logits are not finite numbers",
                             "its weights are damaged, or too large for the dtype: try --dtype f32"));
}

}  // namespace

double log_sum_exp(std::span<const float> logits) {
  const float top = largest(logits);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum);
}

namespace {

void apply_penalties(std::vector<Candidate>& candidates, const SamplingOptions& options,
                     const TokenHistory& history) {
  for (const auto& [id, count] : history.counts()) {
    if (static_cast<size_t>(id) >= candidates.size()) continue;
    double& logit = candidates[static_cast<size_t>(id)].weight;
    logit = logit > 0.0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
    if (count > 0) logit -= options.presence_penalty + options.frequency_penalty * static_cast<double>(count);
  }
}

// Logits to weights with the likeliest at 1; candidates with no weight are dropped.
void softmax_in_place(std::vector<Candidate>& candidates, double temperature) {
  double top = -HUGE_VAL;
  for (const Candidate& c : candidates) top = std::max(top, c.weight);
  for (Candidate& c : candidates) c.weight = std::exp((c.weight - top) / temperature);
  std::erase_if(candidates, [](const Candidate& c) { return c.weight == 0.0; });
}

void keep_top_k(std::vector<Candidate>& candidates, int64_t k) {
  if (k <= 0 || static_cast<size_t>(k) >= candidates.size()) return;
  std::nth_element(candidates.begin(), candidates.begin() + k - 1, candidates.end(), likelier);
  candidates.resize(static_cast<size_t>(k));
}

double total(const std::vector<Candidate>& candidates) {
  double sum = 0.0;
  for (const Candidate& c : candidates) sum += c.weight;
  return sum;
}

// The shortest prefix of `candidates` that holds `share` of their total; at least one.
void keep_share(std::vector<Candidate>& candidates, double share) {
  const double wanted = share * total(candidates);
  double sum = 0.0;
  size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || sum < wanted)) sum += candidates[kept++].weight;
  candidates.resize(kept);
}

void keep_typical(std::vector<Candidate>& candidates, double share) {
  const double sum = total(candidates);
  double entropy = 0.0;
  for (const Candidate& c : candidates) entropy -= c.weight / sum * std::log(c.weight / sum);
  std::ranges::stable_sort(candidates, {},
                           [&](const Candidate& c) { return std::abs(-std::log(c.weight / sum) - entropy); });
  keep_share(candidates, share);
}

}  // namespace

SampledToken Sampler::sample(std::span<const float> logits, const TokenHistory& history) {
  const double normaliser = log_sum_exp(logits);
  std::vector<Candidate> candidates(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) candidates[i] = {static_cast<int32_t>(i), logits[i]};
  apply_penalties(candidates, options_, history);
  const auto chosen = [&](int32_t id) {
    return SampledToken{id, static_cast<double>(logits[static_cast<size_t>(id)]) - normaliser};
  };
  // One draw per token whatever the options, so that position n always uses draw n.
  const double draw = rng_.uniform();
  if (options_.temperature == 0.0) return chosen(std::ranges::min_element(candidates, likelier)->id);

  softmax_in_place(candidates, options_.temperature);
  keep_top_k(candidates, options_.top_k);
  // A fixed order makes the choice a function of the distribution alone; ids do where nothing needs ranks.
  const bool ranked = options_.top_k > 0 || options_.top_p < 1.0 || options_.typical_p < 1.0;
  if (ranked) std::ranges::sort(candidates, likelier);
  if (options_.top_p < 1.0) keep_share(candidates, options_.top_p);
  if (options_.min_p > 0.0) {
    std::erase_if(candidates,
                  [&](const Candidate& c) { return c.weight < options_.min_p; });  // the likeliest weighs 1
  }
  if (options_.typical_p < 1.0) keep_typical(candidates, options_.typical_p);

  double remaining = draw * total(candidates);
  for (const Candidate& c : candidates) {
    remaining -= c.weight;
    if (remaining < 0.0) return chosen(c.id);
  }
  return chosen(candidates.back().id);
}

}  // namespace quern::infer
