#include "engine/active_request.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/exception.h"

namespace quern::engine {

namespace {

// Of logits [V], as they came.
std::vector<TokenLogprob> likeliest(std::span<const float> logits, int64_t count, double normaliser) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto kept = static_cast<std::ptrdiff_t>(std::min<size_t>(static_cast<size_t>(count), ids.size()));
  std::ranges::partial_sort(ids, ids.begin() + kept, [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  std::vector<TokenLogprob> result;
  for (auto id = ids.begin(); id != ids.begin() + kept; ++id)
    result.push_back({*id, static_cast<double>(logits[static_cast<size_t>(*id)]) - normaliser});
  return result;
}

TokenUpdate scored(std::span<const float> logits, int32_t token, int64_t top) {
  const double normaliser = infer::log_sum_exp(logits);
  return {.chosen = {token, static_cast<double>(logits[static_cast<size_t>(token)]) - normaliser},
          .top = likeliest(logits, top, normaliser)};
}

}  // namespace

ActiveRequest::ActiveRequest(SequenceId number, int64_t virtual_tokens, Request asked, Receiver tell,
                             const text::Tokenizer& tokenizer, double now)
    : id(number),
      before(virtual_tokens),
      request(std::move(asked)),
      receiver(std::move(tell)),
      chooser(request.options.generation()),
      text(tokenizer, request.options.stop),
      arrival(now) {
  usage.prompt_tokens = static_cast<int64_t>(request.prompt.size());
}

void ActiveRequest::read(const Piece& piece, std::span<const float> logits, size_t vocab,
                         std::span<const int32_t> sequence) try {
  chosen.clear();
  const auto tokens = sequence.subspan(static_cast<size_t>(before));
  if (request.prompt_logprobs && piece.begin < before + usage.prompt_tokens)
    score_prompt(piece, logits, vocab, tokens);
  if (!piece.last || chooser.options().max_tokens == 0) return;
  const auto guessed = static_cast<size_t>(piece.guessed), known = tokens.size() - guessed;
  for (size_t i = 0; i <= guessed; ++i) {
    choose(logits.subspan(logits.size() - (guessed + 1 - i) * vocab, vocab), tokens.first(known + i));
    const int32_t token = chosen.back().chosen.id;
    const bool right = i < guessed && token == tokens[known + i];
    if (!right || chooser.ends(token) || chooser.is_complete()) return;
  }
} catch (const Exception& broken) {
  failure = broken.error();
} catch (const std::exception& broken) {
  failure = make_error(ErrorCode::internal, broken.what());
}

void ActiveRequest::score_prompt(const Piece& piece, std::span<const float> logits, size_t vocab,
                                 std::span<const int32_t> tokens) {
  if (prompt.empty()) prompt.push_back({.chosen = {tokens[0], 0.0}});
  const int64_t first = piece.begin - before, last = std::min(first + piece.count, usage.prompt_tokens - 1);
  for (int64_t i = std::max<int64_t>(first, 0); i < last; ++i) {
    if (static_cast<int64_t>(prompt.size()) != i + 1) continue;  // known before it was preempted
    const auto row = logits.subspan(static_cast<size_t>(i - first) * vocab, vocab);
    prompt.push_back(scored(row, tokens[static_cast<size_t>(i) + 1], request.top_logprobs));
  }
}

void ActiveRequest::choose(std::span<const float> logits, std::span<const int32_t> tokens) {
  const infer::SampledToken token = chooser.choose(logits, tokens);
  chosen.push_back({.chosen = {token.id, token.logprob}, .drawn_logprob = token.drawn_logprob});
  if (request.top_logprobs > 0)
    chosen.back().top = likeliest(logits, request.top_logprobs, infer::log_sum_exp(logits));
}

void ActiveRequest::say(int64_t room, double now, Update& update) {
  for (TokenUpdate& token : chosen) {
    const int32_t next = token.chosen.id;
    if (chooser.ends(next)) {
      update.finish = infer::FinishReason::stop;
      update.end = std::move(token);
    } else if (room-- <= 0 && !request.options.context_shift) {
      update.finish = infer::FinishReason::context_full;
    } else {
      if (usage.generated_tokens++ == 0) usage.first_seconds = now - arrival;
      update.text += text.push(next);
      // What the chooser says of the constraint, it says of the last token.
      const bool complete = &token == &chosen.back() && chooser.is_complete();
      update.tokens.push_back(std::move(token));
      if (text.stopped() || complete) {
        update.finish = infer::FinishReason::stop;
      } else if (usage.generated_tokens >= chooser.options().max_tokens) {
        update.finish = infer::FinishReason::length;
      }
    }
    if (update.finish) return;
  }
}

}  // namespace quern::engine
