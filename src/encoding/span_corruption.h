// Span corruption (Raffel et al. 2020, arXiv 1910.10683): spans of a text become sentinels, and what is to be written are the
// sentinels with what stood there. Spans are drawn as t5x and transformers' run_t5_mlm_flax.py draw them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace quern::encoding {

// A number below `bound`, uniform.
using Draws = std::function<uint64_t(uint64_t bound)>;

struct SpanOptions {
  double density = 0.15;   // share of the tokens that are corrupted
  double mean_span = 3.0;  // tokens of a span
};

// What becomes of a text of some tokens: the numbers follow from its length alone. Of a text of fewer than 2 nothing is
// corrupted.
struct SpanCounts {
  int64_t noise = 0;  // tokens in spans
  int64_t spans = 0;
  int64_t input = 0;   // tokens that are left, and a sentinel for each span
  int64_t target = 0;  // tokens of spans, and a sentinel before each
};
SpanCounts span_counts(int64_t tokens, const SpanOptions& options);
// Tokens of the longest text that becomes an input of at most `input` tokens: compute_input_and_target_lengths of that script,
// whose ends of texts are not counted here, and which takes one token less at a density of one half.
int64_t longest_text(int64_t input, const SpanOptions& options);

// Which of `tokens` tokens are corrupted, 0 or 1: stretches that are kept and spans take turns, beginning with one that is
// kept; how long each is, is uniform among all ways to divide their sums. `draws` are those of a shuffle from the end.
std::vector<char> noise_mask(int64_t tokens, const SpanOptions& options, const Draws& draws);

struct TextPair {
  std::vector<int32_t> source, target;
};
// The i-th span becomes sentinels[i]. Precondition: there are as many sentinels as spans, and the first token is kept.
TextPair corrupt_spans(std::span<const int32_t> tokens, std::span<const char> noise,
                       std::span<const int32_t> sentinels);

}  // namespace quern::encoding
