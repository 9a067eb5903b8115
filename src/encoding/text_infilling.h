// Text infilling and shuffled sentences (BART, Lewis et al. 2020, arXiv 1910.13461): spans of a text become a mask each,
// sentences change places, and the text as it was is to be written.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace quern::encoding {

struct InfillOptions {
  double share = 0.3;      // of the tokens, those in spans
  double mean_span = 3.0;  // of Poisson's distribution; a span of no tokens is a mask between two
};

// Tokens [begin, end) that one mask stands for.
struct HiddenSpan {
  int64_t begin = 0, end = 0;
  bool operator==(const HiddenSpan&) const = default;
};

// Spans of a text of `tokens` tokens, ascending, round(share * tokens) of these together, at least one: lengths are drawn
// until they are that many, the last is cut to what is left, and their places are uniform among all where no two touch. There
// are no more spans than tokens in them, so that masks are never longer than what they hide.
std::vector<HiddenSpan> hidden_spans(int64_t tokens, const InfillOptions& options, Rng& rng);
std::vector<int32_t> with_masks(std::span<const int32_t> tokens, std::span<const HiddenSpan> spans,
                                int32_t mask);

// Poisson's quantile: the smallest k whose distribution function is above `uniform`, in [0, 1).
int64_t poisson_quantile(double mean, double uniform);

// The sentences of a text in another order, uniform. `ends`: by token, whether it ends a sentence; of several in a row the
// last does, and the text's last token in any case.
std::vector<int32_t> shuffle_sentences(std::span<const int32_t> tokens, std::span<const char> ends, Rng& rng);

}  // namespace quern::encoding
