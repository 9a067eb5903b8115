// Beam search: the likeliest whole answers instead of one likely token after the other.
#pragma once

#include <functional>

#include "infer/session.h"
#include "infer/token_rules.h"

namespace quern::infer {

// When the search is over: as soon as there are as many answers as beams; when the best open beam, at its length, is
// worse than all of them; or when it could not get better at any length.
enum class EarlyStopping : uint8_t { yes, no, never };

struct BeamOptions {
  int64_t beams = 1;
  double length_penalty =
      1.0;  // a score is the sum of log-probabilities / length^penalty; above 0 favours long answers
  EarlyStopping early_stopping = EarlyStopping::no;
  double repetition_penalty = 1.0;  // multiplies log-probabilities of tokens seen (SamplingOptions)
  int64_t max_tokens = 256;
  std::vector<int32_t> end_tokens = {};
  TokenRules rules = {};
};

struct Beam {
  std::vector<int32_t> tokens;  // of the answer, without the end token
  double score = 0.0;
  bool ended = false;  // by an end token, not by the length
};

// Continues the session's sequence, which stays as it is; at most `beams` answers, best first, equal to those of
// transformers' generate(num_beams, do_sample=False). `go_on` is asked before every token: false gives the answers so
// far, which may be none. Preconditions: the session is not empty; max_tokens >= 1; there is room for them.
std::vector<Beam> beam_search(const Session& session, const BeamOptions& options,
                              const std::function<bool()>& go_on);

}  // namespace quern::infer
