#include "infer/generate.h"

#include <algorithm>

namespace quern::infer {

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::context_full:
      return "context_full";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "unknown";
}

FinishReason generate(Session& session, const GenerateOptions& options,
                      const std::function<bool(const SampledToken&)>& receive) {
  Sampler sampler(options.sampling, options.stream);
  TokenHistory history;
  history.add_prompt(session.tokens());
  for (int64_t i = 0; i < options.max_tokens; ++i) {
    const SampledToken token = sampler.sample(session.logits(), history);
    if (std::ranges::find(options.end_tokens, token.id) != options.end_tokens.end())
      return FinishReason::stop;
    if (session.full()) return FinishReason::context_full;
    const bool go_on = receive(token);  // before the next forward pass: the reader should not wait for it
    session.append(token.id);
    history.add_output(token.id);
    if (!go_on) return FinishReason::cancelled;
  }
  return FinishReason::length;
}

}  // namespace quern::infer
