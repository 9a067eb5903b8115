#include "infer/penalties.h"

#include <algorithm>
#include <cmath>

namespace quern::infer {

namespace {

std::span<const int32_t> last(std::span<const int32_t> tokens, int64_t count) {
  return count < 0 ? tokens : tokens.last(std::min(tokens.size(), static_cast<size_t>(count)));
}

float* logit_of(std::span<float> logits, int32_t token) {
  const bool inside = token >= 0 && static_cast<size_t>(token) < logits.size();
  return inside ? &logits[static_cast<size_t>(token)] : nullptr;
}

}  // namespace

// All tokens are counted as they come; a window, or another text than before, is counted anew.
void Penalties::count(std::span<const int32_t> tokens, int64_t generated) {
  if (options_.repeat_last_n >= 0 || tokens.size() < counted_) {
    counts_.clear();
    counted_ = tokens.size() - last(tokens, options_.repeat_last_n).size();
  }
  const size_t prompt = tokens.size() - std::min(tokens.size(), static_cast<size_t>(generated));
  for (; counted_ < tokens.size(); ++counted_) {
    int64_t& times = counts_.try_emplace(tokens[counted_], 0).first->second;
    if (counted_ >= prompt) ++times;
  }
}

void Penalties::apply(std::span<float> logits, std::span<const int32_t> tokens, int64_t generated) {
  for (const auto& [token, bias] : options_.logit_bias) {
    if (float* logit = logit_of(logits, token)) *logit += bias;
  }
  if (counts()) {
    count(tokens, generated);
    for (const auto& [token, times] : counts_) {
      float* logit = logit_of(logits, token);
      if (logit == nullptr) continue;
      double edited = *logit;
      edited = edited > 0.0 ? edited / options_.repetition_penalty : edited * options_.repetition_penalty;
      if (times > 0)
        edited -= options_.presence_penalty + options_.frequency_penalty * static_cast<double>(times);
      *logit = static_cast<float>(edited);
    }
  }
  if (options_.dry.multiplier <= 0.0) return;
  for (const auto& [token, length] : repetitions(tokens, options_.dry)) {
    // The exponent is bounded so that a long repetition ends below all others, and not at minus infinity or NaN.
    const double exponent = std::min(static_cast<double>(length - options_.dry.allowed),
                                     options_.dry.base > 1.0 ? 80.0 / std::log(options_.dry.base) : 0.0);
    if (float* logit = logit_of(logits, token))
      *logit -= static_cast<float>(options_.dry.multiplier * std::pow(options_.dry.base, exponent));
  }
}

// Read backwards, a repetition is a beginning that comes again: the Z function (Gusfield 1997) finds all of them in time
// proportional to the tokens.
std::vector<std::pair<int32_t, int64_t>> repetitions(std::span<const int32_t> tokens,
                                                     const DryOptions& options) {
  const auto window = last(tokens, options.last_n);
  std::vector<int32_t> back(window.rbegin(), window.rend());
  const auto breaks = [&](int32_t token) {
    return std::ranges::find(options.breakers, token) != options.breakers.end();
  };
  const auto reach = std::ranges::find_if(back, breaks) - back.begin();  // no repetition is longer
  const auto count = static_cast<int64_t>(back.size());
  std::vector<int64_t> z(back.size(), 0);
  std::unordered_map<int32_t, int64_t> longest;
  int64_t left = 0, right = 0;  // the match that reached furthest
  for (int64_t i = 1; i < count; ++i) {
    int64_t& length = z[static_cast<size_t>(i)];
    if (i < right) length = std::min(right - i, z[static_cast<size_t>(i - left)]);
    while (i + length < count && back[static_cast<size_t>(length)] == back[static_cast<size_t>(i + length)])
      ++length;
    if (i + length > right) {
      left = i;
      right = i + length;
    }
    const int64_t repeated = std::min<int64_t>(length, reach);
    if (repeated < options.allowed) continue;
    int64_t& known = longest[back[static_cast<size_t>(i - 1)]];
    known = std::max(known, repeated);
  }
  std::vector<std::pair<int32_t, int64_t>> result(longest.begin(), longest.end());
  std::ranges::sort(result);
  return result;
}

}  // namespace quern::infer
