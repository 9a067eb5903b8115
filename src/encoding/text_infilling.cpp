#include "encoding/text_infilling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace quern::encoding {

namespace {

void shuffle(std::vector<int64_t>& items, Rng& rng) {
  for (size_t i = items.size(); i-- > 1;) std::swap(items[i], items[rng.below(i + 1)]);
}

// `count` of the numbers below `all`, ascending; each choice is as likely.
std::vector<int64_t> chosen_of(int64_t all, int64_t count, Rng& rng) {
  std::vector<int64_t> numbers(static_cast<size_t>(all));
  std::iota(numbers.begin(), numbers.end(), int64_t{0});
  shuffle(numbers, rng);
  numbers.resize(static_cast<size_t>(count));
  std::ranges::sort(numbers);
  return numbers;
}

}  // namespace

int64_t poisson_quantile(double mean, double uniform) {
  double term = std::exp(-mean), sum = term;
  int64_t k = 0;
  while (sum <= uniform && term > 0.0) {
    ++k;
    term *= mean / static_cast<double>(k);
    sum += term;
  }
  return k;
}

std::vector<HiddenSpan> hidden_spans(int64_t tokens, const InfillOptions& options, Rng& rng) {
  if (tokens == 0) return {};
  const int64_t hidden =
      std::clamp<int64_t>(std::llround(options.share * static_cast<double>(tokens)), 1, tokens);
  // Between tokens that are shown, before the first and after the last, there is room for one span each.
  const int64_t gaps = tokens - hidden + 1;
  const int64_t most = std::min(gaps, hidden);
  std::vector<int64_t> lengths;
  for (int64_t sum = 0; sum < hidden;) {
    const bool last = static_cast<int64_t>(lengths.size()) + 1 == most;
    const int64_t drawn = poisson_quantile(options.mean_span, rng.uniform());
    lengths.push_back(last ? hidden - sum : std::min(drawn, hidden - sum));
    sum += lengths.back();
  }
  const std::vector<int64_t> places = chosen_of(gaps, static_cast<int64_t>(lengths.size()), rng);
  std::vector<HiddenSpan> spans;
  int64_t before = 0;  // tokens in spans before this one
  for (size_t i = 0; i < lengths.size(); ++i) {
    const int64_t begin = places[i] + before;
    spans.push_back({begin, begin + lengths[i]});
    before += lengths[i];
  }
  return spans;
}

std::vector<int32_t> with_masks(std::span<const int32_t> tokens, std::span<const HiddenSpan> spans,
                                int32_t mask) {
  std::vector<int32_t> result;
  auto at = tokens.begin();
  for (const HiddenSpan& span : spans) {
    result.insert(result.end(), at, tokens.begin() + span.begin);
    result.push_back(mask);
    at = tokens.begin() + span.end;
  }
  result.insert(result.end(), at, tokens.end());
  return result;
}

std::vector<int32_t> shuffle_sentences(std::span<const int32_t> tokens, std::span<const char> ends,
                                       Rng& rng) {
  const auto ends_here = [&](size_t i) { return ends[static_cast<size_t>(tokens[i])] != 0; };
  std::vector<HiddenSpan> sentences;
  int64_t begin = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool last = i + 1 == tokens.size();
    if (!last && (!ends_here(i) || ends_here(i + 1))) continue;
    sentences.push_back({begin, static_cast<int64_t>(i) + 1});
    begin = sentences.back().end;
  }
  std::vector<int64_t> order(sentences.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  shuffle(order, rng);
  std::vector<int32_t> result;
  for (const int64_t which : order) {
    const HiddenSpan& sentence = sentences[static_cast<size_t>(which)];
    result.insert(result.end(), tokens.begin() + sentence.begin, tokens.begin() + sentence.end);
  }
  return result;
}

}  // namespace quern::encoding
