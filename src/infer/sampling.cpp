#include "infer/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "base/exception.h"
#include "ops/softmax.h"

namespace quern::infer {

namespace {

constexpr float kDropped = -std::numeric_limits<float>::infinity();

// Where the largest logit stands, the first of equals. Compared as whole numbers, which are in the same order and which
// compilers know how to compare many at a time.
size_t likeliest(std::span<const float> logits) {
  const auto ordered = [](float value) {
    const auto bits = std::bit_cast<int32_t>(value + 0.0f);  // of -0 and 0 the same
    return bits < 0 ? static_cast<int32_t>(bits ^ 0x7fffffff) : bits;
  };
  int32_t top = std::numeric_limits<int32_t>::min();
  for (const float logit : logits) top = std::max(top, ordered(logit));
  const auto found = std::ranges::find_if(logits, [&](float logit) { return ordered(logit) == top; });
  return static_cast<size_t>(found - logits.begin());
}

[[noreturn]] void throw_broken() {
  throw Exception(make_error(ErrorCode::corrupt, "the model's logits are not finite numbers",
                             "its weights are damaged, or too large for the dtype: try --dtype f32"));
}

// Forbids what is more than `n` standard deviations of the logits below the largest.
void keep_near_top(std::span<float> logits, double n) {
  double sum = 0.0, squares = 0.0, count = 0.0;
  float top = kDropped;
  for (const float logit : logits) {
    if (logit == kDropped) continue;
    top = std::max(top, logit);
    sum += logit;
    squares += static_cast<double>(logit) * logit;
    count += 1.0;
  }
  const double mean = sum / count, deviation = std::sqrt(std::max(0.0, squares / count - mean * mean));
  for (float& logit : logits) {
    if (logit < top - n * deviation) logit = kDropped;
  }
}

}  // namespace

// Logits [V], their softmax, the likeliest token, and the logarithm of what the softmax was divided by.
struct Sampler::Distribution {
  Tensor scaled, softmax;
  std::span<const float> logits, probabilities;
  size_t top = 0;
  double log_sum = 0.0;

  explicit Distribution(std::span<const float> given, double scale = 1.0)
      : scaled({1, static_cast<int64_t>(given.size())}, DType::f32) {
    std::ranges::transform(given, scaled.data<float>(),
                           [s = static_cast<float>(scale)](float logit) { return logit * s; });
    logits = scaled.span<float>();
    top = likeliest(logits);
    if (!std::isfinite(logits[top])) throw_broken();
    softmax = ops::softmax(scaled);
    probabilities = softmax.span<float>();
    if (std::isnan(probabilities[top])) throw_broken();
    log_sum = logits[top] - std::log(static_cast<double>(probabilities[top]));
  }
};

double log_sum_exp(std::span<const float> logits) { return Sampler::Distribution(logits).log_sum; }

Sampler::Sampler(SamplingOptions options, uint64_t stream)
    : options_(std::move(options)),
      rng_(options_.seed, stream),
      penalties_(options_),
      surprise_(2.0 * options_.mirostat_tau) {}

bool Sampler::likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

double Sampler::total(const std::vector<Candidate>& candidates) {
  double sum = 0.0;
  for (const Candidate& c : candidates) sum += c.weight;
  return sum;
}

// The shortest prefix of `candidates` that weighs `wanted`; at least one.
void Sampler::keep_share(std::vector<Candidate>& candidates, double wanted) {
  double sum = 0.0;
  size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || sum < wanted)) sum += candidates[kept++].weight;
  candidates.resize(kept);
}

void Sampler::keep_typical(std::vector<Candidate>& candidates) const {
  const double sum = total(candidates);
  double entropy = 0.0;
  for (const Candidate& c : candidates) entropy -= c.weight / sum * std::log(c.weight / sum);
  std::ranges::stable_sort(candidates, {},
                           [&](const Candidate& c) { return std::abs(-std::log(c.weight / sum) - entropy); });
  keep_share(candidates, options_.typical_p * sum);
}

void Sampler::exclude_top_choices(std::vector<Candidate>& candidates) {
  if (rng_.uniform() >= options_.xtc_probability) return;
  const double least = options_.xtc_threshold * total(candidates);
  std::ranges::sort(candidates, likelier);
  const auto unlikely =
      std::ranges::find_if(candidates, [&](const Candidate& c) { return c.weight < least; });
  if (unlikely - candidates.begin() > 1) candidates.erase(candidates.begin(), unlikely - 1);
}

// Mirostat: what may surprise by `surprise_` bits, or, in version 1, as many tokens as a Zipf distribution fitted to the
// likeliest hundred has up to there (algorithm 1 of the paper).
void Sampler::keep_unsurprising(std::vector<Candidate>& candidates) const {
  std::ranges::sort(candidates, likelier);
  const double sum = total(candidates);
  size_t kept = 0;
  if (options_.mirostat == 2) {
    while (kept < candidates.size() && -std::log2(candidates[kept].weight / sum) <= surprise_) ++kept;
  } else {
    double slope = 0.0, squares = 0.0;
    for (size_t i = 0; i + 1 < std::min<size_t>(candidates.size(), 100); ++i) {
      const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
      slope += t * std::log(candidates[i].weight / candidates[i + 1].weight);
      squares += t * t;
    }
    const double exponent = squares > 0.0 ? slope / squares : 1.0, epsilon = exponent - 1.0;
    const auto count = static_cast<double>(candidates.size());
    // As epsilon goes to 0, epsilon / (1 - count^-epsilon) goes to 1 / log(count).
    const double scale = std::abs(epsilon) < 1e-9 ? 1.0 / std::log(std::max(2.0, count))
                                                  : epsilon / (1.0 - std::pow(count, -epsilon));
    const double k = std::pow(scale * std::exp2(surprise_), 1.0 / exponent);
    kept = k < count ? static_cast<size_t>(std::max(k, 0.0)) : candidates.size();
  }
  candidates.resize(std::max<size_t>(kept, 1));
}

// Those that the truncations could keep, in order of their ids; of a large vocabulary that is a few.
std::vector<Sampler::Candidate> Sampler::candidates(const Distribution& distribution) const {
  const auto [logits, probabilities] = std::pair(distribution.logits, distribution.probabilities);
  const bool some = options_.top_k > 0 || options_.top_p < 1.0 || options_.min_p > 0.0;
  const bool all = !some || options_.mirostat > 0 || options_.typical_p < 1.0;
  const float top = probabilities[distribution.top];
  std::vector<Candidate> kept;
  for (float least = all ? 0.0f : top * 0.01f;; least = least > 1e-12f ? least * 0.01f : 0.0f) {
    kept.clear();
    double sum = 0.0;
    for (size_t i = 0; i < probabilities.size(); ++i) {
      const float p = probabilities[i];
      if (p < least || p == 0.0f) continue;
      kept.push_back({static_cast<int32_t>(i), logits[i], p});
      sum += p;
    }
    if (least == 0.0f) return kept;
    const bool enough_for_k = options_.top_k > 0 && static_cast<int64_t>(kept.size()) >= options_.top_k;
    const bool enough_for_p = options_.top_p < 1.0 && options_.top_k <= 0 && sum >= options_.top_p;
    const bool enough_for_min = least <= static_cast<float>(options_.min_p) * top;
    if (enough_for_k || enough_for_p || (enough_for_min && options_.top_k <= 0 && options_.top_p >= 1.0))
      return kept;
  }
}

void Sampler::truncate(std::vector<Candidate>& candidates) {
  if (options_.mirostat > 0) return keep_unsurprising(candidates);
  double sum = 1.0;  // of the distribution that candidates were taken from
  if (options_.top_k > 0) {
    const auto k = std::min(candidates.size(), static_cast<size_t>(options_.top_k));
    std::ranges::nth_element(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(k) - 1, likelier);
    candidates.resize(k);
    sum = total(candidates);
  }
  // A fixed order makes the choice a function of the distribution alone; ids do where nothing needs ranks.
  const bool ranked = options_.top_k > 0 || options_.top_p < 1.0 || options_.typical_p < 1.0;
  if (ranked) std::ranges::sort(candidates, likelier);
  if (options_.top_p < 1.0) keep_share(candidates, options_.top_p * sum);
  if (options_.min_p > 0.0) {
    const double top = std::ranges::max_element(candidates, {}, &Candidate::weight)->weight;
    std::erase_if(candidates, [&](const Candidate& c) { return c.weight < options_.min_p * top; });
  }
  if (options_.typical_p < 1.0) keep_typical(candidates);
  if (options_.xtc_probability > 0.0) exclude_top_choices(candidates);
}

int32_t Sampler::draw(const std::vector<Candidate>& candidates, double place) {
  const double sum = total(candidates);
  const Candidate* chosen = &candidates.back();
  double remaining = place * sum;
  for (const Candidate& c : candidates) {
    remaining -= c.weight;
    if (remaining >= 0.0) continue;
    chosen = &c;
    break;
  }
  if (options_.mirostat > 0)
    surprise_ -= options_.mirostat_eta * (-std::log2(chosen->weight / sum) - options_.mirostat_tau);
  return chosen->id;
}

bool Sampler::truncates() const {
  return options_.top_k > 0 || options_.top_p < 1.0 || options_.min_p > 0.0 || options_.typical_p < 1.0 ||
         options_.xtc_probability > 0.0 || options_.mirostat > 0;
}

int32_t Sampler::choose(const Distribution& distribution) {
  // One draw per token whatever the options, so that position n always uses draw n; XTC takes another.
  const double place = rng_.uniform();
  if (options_.temperature == 0.0) return static_cast<int32_t>(distribution.top);
  if (truncates()) {
    std::vector<Candidate> kept = candidates(distribution);
    truncate(kept);
    return draw(kept, place);
  }
  double remaining = place;
  size_t chosen = distribution.top;
  for (size_t i = 0; i < distribution.probabilities.size(); ++i) {
    const double probability = distribution.probabilities[i];
    if (probability == 0.0) continue;
    chosen = i;
    remaining -= probability;
    if (remaining < 0.0) break;
  }
  return static_cast<int32_t>(chosen);
}

SampledToken Sampler::sample(std::span<const float> logits, std::span<const int32_t> tokens,
                             int64_t generated) {
  const Distribution own(logits);
  const bool edits = penalties_.any() || options_.top_n_sigma > 0.0;
  if (edits) {
    edited_.assign(logits.begin(), logits.end());
    penalties_.apply(edited_, tokens, generated);
    if (options_.top_n_sigma > 0.0) keep_near_top(edited_, options_.top_n_sigma);
  }
  const double scale = options_.temperature == 0.0 ? 1.0 : 1.0 / options_.temperature;
  std::optional<Distribution> changed;
  if (edits || scale != 1.0) changed.emplace(edits ? std::span<const float>(edited_) : logits, scale);
  const Distribution& drawn = changed ? *changed : own;
  const auto id = static_cast<size_t>(choose(drawn));
  return {static_cast<int32_t>(id), static_cast<double>(logits[id]) - own.log_sum,
          static_cast<double>(drawn.logits[id]) - drawn.log_sum};
}

}  // namespace quern::infer
