#include "encoding/span_corruption.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace quern::encoding {

namespace {

// Halves go to the even number, as in numpy.
int64_t rounded(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

// The lengths of `segments` non-empty parts of `items`: which items begin one is shuffled.
std::vector<int64_t> random_segmentation(int64_t items, int64_t segments, const Draws& draws) {
  std::vector<char> begins(static_cast<size_t>(items - 1), 0);
  std::fill_n(begins.begin(), segments - 1, char{1});
  for (size_t i = begins.size(); i-- > 1;) std::swap(begins[i], begins[draws(i + 1)]);
  std::vector<int64_t> lengths{1};
  for (const char begin : begins) {
    if (begin != 0) lengths.push_back(0);
    ++lengths.back();
  }
  return lengths;
}

}  // namespace

SpanCounts span_counts(int64_t tokens, const SpanOptions& options) {
  if (tokens < 2) return {.input = tokens};
  const int64_t wanted = rounded(static_cast<double>(tokens) * options.density);
  const int64_t noise = std::clamp<int64_t>(wanted, 1, tokens - 1), kept = tokens - noise;
  const int64_t spans = std::clamp<int64_t>(
      rounded(static_cast<double>(std::min(noise, kept)) / options.mean_span), 1, std::min(noise, kept));
  return {noise, spans, kept + spans, noise + spans};
}

int64_t longest_text(int64_t input, const SpanOptions& options) {
  int64_t tokens = std::max<int64_t>(input, 0);
  while (span_counts(tokens + 1, options).input <= input) ++tokens;
  return tokens;
}

std::vector<char> noise_mask(int64_t tokens, const SpanOptions& options, const Draws& draws) {
  std::vector<char> mask;
  mask.reserve(static_cast<size_t>(tokens));
  const SpanCounts counts = span_counts(tokens, options);
  if (counts.spans == 0) return std::vector<char>(static_cast<size_t>(tokens), 0);
  const std::vector<int64_t> noise = random_segmentation(counts.noise, counts.spans, draws);
  const std::vector<int64_t> kept = random_segmentation(tokens - counts.noise, counts.spans, draws);
  for (size_t span = 0; span < noise.size(); ++span) {
    mask.insert(mask.end(), static_cast<size_t>(kept[span]), char{0});
    mask.insert(mask.end(), static_cast<size_t>(noise[span]), char{1});
  }
  return mask;
}

TextPair corrupt_spans(std::span<const int32_t> tokens, std::span<const char> noise,
                       std::span<const int32_t> sentinels) {
  TextPair result;
  size_t span = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (noise[i] == 0) {
      result.source.push_back(tokens[i]);
      continue;
    }
    if (noise[i - 1] == 0) {
      result.source.push_back(sentinels[span]);
      result.target.push_back(sentinels[span]);
      ++span;
    }
    result.target.push_back(tokens[i]);
  }
  return result;
}

}  // namespace quern::encoding
