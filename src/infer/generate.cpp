#include "infer/generate.h"

#include <algorithm>
#include <utility>

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

TokenChooser::TokenChooser(GenerateOptions options)
    : options_(std::move(options)), sampler_(options_.sampling, options_.stream) {
  if (options_.constraint) constraint_.emplace(options_.constraint);
}

SampledToken TokenChooser::choose(std::span<const float> logits, std::span<const int32_t> tokens) {
  if (options_.rules.any() || constraint_) {
    ruled_.assign(logits.begin(), logits.end());
    apply(options_.rules, {tokens, generated_, options_.max_tokens, options_.end_tokens}, ruled_);
    if (constraint_) apply_constraint(*constraint_, ruled_);
    logits = ruled_;
  }
  const SampledToken token = sampler_.sample(logits, tokens, generated_);
  if (constraint_ && !ends(token.id)) advance(*constraint_, token.id);
  ++generated_;
  return token;
}

bool TokenChooser::ends(int32_t token) const {
  return std::ranges::find(options_.end_tokens, token) != options_.end_tokens.end() ||
         (constraint_ && constraint_->is_end(token));
}

FinishReason generate(Session& session, const GenerateOptions& options,
                      const std::function<bool(const SampledToken&)>& receive) {
  TokenChooser chooser(options);
  const auto prompt = static_cast<int64_t>(session.tokens().size());
  for (int64_t i = 0; i < options.max_tokens; ++i) {
    if (chooser.is_complete()) return FinishReason::stop;
    const SampledToken token = chooser.choose(session.logits(), session.tokens());
    if (chooser.ends(token.id)) return FinishReason::stop;
    if (session.full() && !(options.context_shift && make_room(session, prompt)))
      return FinishReason::context_full;
    const bool go_on = receive(token);  // before the next forward pass: the reader should not wait for it
    session.append(token.id);
    if (!go_on) return FinishReason::cancelled;
  }
  return FinishReason::length;
}

}  // namespace quern::infer
