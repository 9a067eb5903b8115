#include "infer/generate.h"

#include <algorithm>
#include <limits>
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
  if (!options_.constraint) return;
  waiting_ = options_.constraint_start;
  if (!waiting_) constraint_.emplace(options_.constraint);
}

SampledToken TokenChooser::choose(std::span<const float> logits, std::span<const int32_t> tokens) {
  if (options_.rules.any() || options_.constraint) {
    ruled_.assign(logits.begin(), logits.end());
    rule_out(tokens);
    logits = ruled_;
  }
  const SampledToken token = sampler_.sample(logits, tokens, generated_);
  if (!ends(token.id)) learn(token.id);
  ++generated_;
  return token;
}

void TokenChooser::rule_out(std::span<const int32_t> tokens) {
  apply(options_.rules, {tokens, generated_, options_.max_tokens, options_.end_tokens}, ruled_);
  if (constraint_) apply_constraint(*constraint_, ruled_);
  if (!waiting_ || !waiting_->must_come()) return;
  for (const int32_t end : options_.end_tokens)
    ruled_[static_cast<size_t>(end)] = -std::numeric_limits<float>::infinity();
}

void TokenChooser::learn(int32_t token) {
  if (constraint_) return advance(*constraint_, token);
  if (!waiting_) return;
  const std::optional<std::string> begun = waiting_->push(options_.constraint->vocabulary().spelling(token));
  if (!begun) return;
  grammar::Matcher matcher(options_.constraint);
  // What only looked like the beginning changes nothing, unless the constraint must hold from here on.
  if (!matcher.accept(*begun) && !waiting_->must_come()) return;
  constraint_.emplace(std::move(matcher));
  waiting_.reset();
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
