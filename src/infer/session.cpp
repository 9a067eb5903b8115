#include "infer/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/graph.h"

namespace quern::infer {

namespace {
int64_t clamp_context(const model::Decoder& model, int64_t context) {
  const int64_t most = model.config().max_positions;
  return context <= 0 ? most : std::min(context, most);
}
}  // namespace

Session::Session(const model::Decoder& model, int64_t context)
    : model_(model),
      context_(clamp_context(model, context)),
      cache_(model.make_cache({.capacity = context_, .chunk = model::kPromptChunk})) {}

Result<void> Session::set_tokens(std::span<const int32_t> tokens) {
  const auto count = static_cast<int64_t>(tokens.size());
  if (count == 0)
    return make_error(ErrorCode::invalid_argument, "the prompt is empty", "give at least one token of text");
  if (count > context_) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the prompt has {} tokens, but the context holds {}", count, context_),
                      "shorten the prompt, or raise --context up to what the model was trained for");
  }
  const auto outside =
      std::ranges::find_if(tokens, [&](int32_t t) { return t < 0 || t >= model_.config().vocab_size; });
  if (outside != tokens.end()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the prompt holds token {}, but the vocabulary has {}", *outside,
                                  model_.config().vocab_size),
                      "the tokenizer belongs to another model");
  }
  // At least the last token is computed again: its logits are what the caller is after.
  const auto differs = std::ranges::mismatch(tokens, tokens_).in1;
  go_back_to(std::min<int64_t>(differs - tokens.begin(), count - 1));
  compute(tokens.subspan(tokens_.size()));
  return {};
}

void Session::set_source(std::shared_ptr<const nn::Source> source) {
  source_ = std::move(source);
  go_back_to(0);
}

// Holds the first `length` tokens, or none where a window's keys for them are gone.
void Session::go_back_to(int64_t length) { tokens_.resize(static_cast<size_t>(cache_.truncate(0, length))); }

void Session::shift(int64_t keep, int64_t count) {
  const auto at = [&](int64_t n) { return tokens_.begin() + static_cast<std::ptrdiff_t>(n); };
  if (model_.can_shift_cache()) {
    model_.shift_cache(cache_, 0, keep, keep + count);
    tokens_.erase(at(keep), at(keep + count));
    return;
  }
  std::vector<int32_t> rest = tokens_;
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(keep),
             rest.begin() + static_cast<std::ptrdiff_t>(keep + count));
  go_back_to(keep);
  compute(std::span(rest).subspan(tokens_.size()));
}

void Session::append(int32_t token) { compute(std::span(&token, 1)); }

void Session::compute(std::span<const int32_t> tokens) {
  const autograd::NoGrad no_grad;
  for (std::span<const int32_t> chunk; !tokens.empty(); tokens = tokens.subspan(chunk.size())) {
    chunk = tokens.first(std::min<size_t>(model::kPromptChunk, tokens.size()));
    const auto time = static_cast<int64_t>(chunk.size());
    nn::ForwardContext context = cache_.next(time);
    context.source = source_;
    const Tensor states = model_.hidden(Tensor::from(chunk, {1, time}), context);
    cache_.commit(time);
    tokens_.insert(tokens_.end(), chunk.begin(), chunk.end());
    if (chunk.size() == tokens.size()) {
      logits_ = model_.logits(states.reshaped({time, states.dim(2)}).sliced(time - 1, time)).to(DType::f32);
    }
  }
}

}  // namespace quern::infer
