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

namespace {
// Makes room in a full session. False where nothing can be forgotten.
bool make_room(Session& session, int64_t prompt) {
  const auto held = static_cast<int64_t>(session.tokens().size());
  const int64_t keep = std::min(prompt, session.context() / 2), count = (held - keep) / 2;
  if (count == 0) return false;
  session.shift(keep, count);
  return true;
}
}  // namespace

namespace {
// The session's logits, but for tokens that may not follow the `generated` ones.
std::span<const float> allowed(const Session& session, const GenerateOptions& options, int64_t generated,
                               std::vector<float>& copy) {
  if (!options.rules.any()) return session.logits();
  copy.assign(session.logits().begin(), session.logits().end());
  apply(options.rules, {session.tokens(), generated, options.max_tokens, options.end_tokens}, copy);
  return copy;
}
}  // namespace

FinishReason generate(Session& session, const GenerateOptions& options,
                      const std::function<bool(const SampledToken&)>& receive) {
  Sampler sampler(options.sampling, options.stream);
  TokenHistory history;
  std::vector<float> ruled;
  history.add_prompt(session.tokens());
  const auto prompt = static_cast<int64_t>(session.tokens().size());
  for (int64_t i = 0; i < options.max_tokens; ++i) {
    const SampledToken token = sampler.sample(allowed(session, options, i, ruled), history);
    if (std::ranges::find(options.end_tokens, token.id) != options.end_tokens.end())
      return FinishReason::stop;
    if (session.full() && !(options.context_shift && make_room(session, prompt)))
      return FinishReason::context_full;
    const bool go_on = receive(token);  // before the next forward pass: the reader should not wait for it
    session.append(token.id);
    history.add_output(token.id);
    if (!go_on) return FinishReason::cancelled;
  }
  return FinishReason::length;
}

}  // namespace quern::infer
