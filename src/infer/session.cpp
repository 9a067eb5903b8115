#include "infer/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/graph.h"
#include "base/exception.h"
#include "base/interrupt.h"

namespace quern::infer {

namespace {
int64_t clamp_context(const model::Decoder& model, int64_t context) {
  const int64_t most = model.config().max_positions;
  return context <= 0 ? most : std::min(context, most);
}

// Ends the computation of many tokens from within.
class Interruptible final : public nn::LinearObserver {
 public:
  void input(const nn::Parameter&, const Tensor&) override { throw_if_interrupted(); }
};

}  // namespace

Session::Session(const model::Decoder& model, int64_t context)
    : model_(model),
      virtual_(model.virtual_tokens()),
      context_(clamp_context(model, context)),
      cache_(model.make_cache({.capacity = context_, .chunk = model::kPromptChunk})) {}

Result<void> Session::set_tokens(std::span<const int32_t> tokens) {
  const auto count = static_cast<int64_t>(tokens.size());
  if (count == 0)
    return make_error(ErrorCode::invalid_argument, "the prompt is empty", "give at least one token of text");
  if (count > context()) {
    const std::string holds =
        virtual_.empty() ? fmt::format("the context holds {}", context_)
                         : fmt::format("the context of {} holds {} beside the adapter's {} virtual ones",
                                       context_, std::max<int64_t>(context(), 0), before());
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the prompt has {} tokens, but {}", count, holds),
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
  try {
    hold(tokens);
  } catch (const Exception& stopped) {
    if (stopped.error().code != ErrorCode::cancelled) throw;
    return make_error(ErrorCode::cancelled, "stopped");
  }
  return {};
}

void Session::set_source(std::shared_ptr<const nn::Source> source) {
  source_ = std::move(source);
  go_back_to(0);
}

// Precondition: tokens that set_tokens() takes.
void Session::hold(std::span<const int32_t> tokens) {
  const auto count = static_cast<int64_t>(tokens.size());
  const auto same = std::ranges::mismatch(tokens, tokens_).in1 - tokens.begin();
  const int64_t length = rope_length(count);
  const auto turned =
      std::ranges::find_if(turned_, [&](int64_t held) { return held != length; }) - turned_.begin();
  // At least the last token is computed again: its logits are what the caller is after.
  go_back_to(std::min<int64_t>({same, turned, count - 1}));
  compute(tokens.subspan(tokens_.size()), count);
}

// Holds the first `length` tokens, or none where a window's keys for them are gone.
void Session::go_back_to(int64_t length) {
  const int64_t held = cache_.truncate(0, before() + length);
  tokens_.resize(static_cast<size_t>(std::max<int64_t>(held - before(), 0)));
  turned_.resize(tokens_.size());
}

void Session::shift(int64_t keep, int64_t count) {
  std::vector<int32_t> rest = tokens_;
  const auto forget = [&](auto& list) { list.erase(list.begin() + keep, list.begin() + keep + count); };
  forget(rest);
  const int64_t length = rope_length(static_cast<int64_t>(rest.size()));
  const bool turn_alike = std::ranges::all_of(turned_, [&](int64_t held) { return held == length; });
  if (!model_.can_shift_cache() || !turn_alike) return hold(rest);
  model_.shift_cache(cache_, 0, before() + keep, before() + keep + count);
  forget(tokens_);
  forget(turned_);
}

void Session::append(int32_t token) {
  const ops::RopeConfig& rope = model_.config().rope;
  const auto count = static_cast<int64_t>(tokens_.size()) + 1;
  const bool turns_anew =
      rope.scaling == ops::RopeScaling::longrope && !turned_.empty() && turned_.back() != rope_length(count);
  if (!turns_anew) return compute(std::span(&token, 1), count);
  std::vector<int32_t> longer = tokens_;
  longer.push_back(token);
  hold(longer);
}

// Appends `tokens`, which belong to a text of `text_length`, after the virtual ones where these are not there yet.
void Session::compute(std::span<const int32_t> tokens, int64_t text_length) {
  const autograd::NoGrad no_grad;
  Interruptible interruptible;
  auto ahead = static_cast<size_t>(std::max<int64_t>(before() - cache_.length(0), 0));  // virtual ones
  std::vector<int32_t> both(virtual_.end() - static_cast<std::ptrdiff_t>(ahead), virtual_.end());
  both.insert(both.end(), tokens.begin(), tokens.end());
  std::span<const int32_t> rest = both;
  for (std::span<const int32_t> chunk; !rest.empty(); rest = rest.subspan(chunk.size())) {
    chunk = rest.first(std::min<size_t>(model::kPromptChunk, rest.size()));
    const auto time = static_cast<int64_t>(chunk.size());
    nn::ForwardContext context = cache_.next(time);
    context.source = source_;
    context.text_length = before() + text_length;
    if (time > 1) context.observer = &interruptible;
    const Tensor states = model_.hidden(Tensor::from(chunk, {1, time}), context);
    cache_.commit(time);
    const auto text = chunk.subspan(std::min(ahead, chunk.size()));
    ahead -= chunk.size() - text.size();
    tokens_.insert(tokens_.end(), text.begin(), text.end());
    turned_.resize(tokens_.size(), rope_length(text_length));
    if (chunk.size() == rest.size()) {
      logits_ = model_.logits(states.reshaped({time, states.dim(2)}).sliced(time - 1, time)).to(DType::f32);
    }
  }
}

}  // namespace quern::infer
