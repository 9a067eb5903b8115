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
    : model_(model), context_(clamp_context(model, context)), cache_(model.make_cache(1, context_)) {}

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
  const auto keep = std::min<int64_t>(differs - tokens.begin(), count - 1);
  tokens_.resize(static_cast<size_t>(keep));
  cache_.truncate(0, keep);
  compute(tokens.subspan(static_cast<size_t>(keep)));
  return {};
}

void Session::append(int32_t token) { compute(std::span(&token, 1)); }

void Session::compute(std::span<const int32_t> tokens) {
  // Chunks bound the memory of a long prompt's activations.
  constexpr size_t kChunk = 512;
  const autograd::NoGrad no_grad;
  for (; !tokens.empty(); tokens = tokens.subspan(std::min(kChunk, tokens.size()))) {
    const std::span<const int32_t> chunk = tokens.first(std::min(kChunk, tokens.size()));
    const auto time = static_cast<int64_t>(chunk.size());
    const Tensor states = model_.hidden(Tensor::from(chunk, {1, time}), cache_.next(time));
    cache_.commit(time);
    tokens_.insert(tokens_.end(), chunk.begin(), chunk.end());
    if (chunk.size() == tokens.size()) {
      logits_ = model_.logits(states.reshaped({time, states.dim(2)}).sliced(time - 1, time)).to(DType::f32);
    }
  }
}

}  // namespace quern::infer
