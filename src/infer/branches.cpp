#include "infer/branches.h"

#include "autograd/graph.h"

namespace quern::infer {

Branches::Branches(const Session& session, int64_t count, int64_t more)
    : model_(session.model()),
      source_(session.source()),
      cache_(model_.make_cache({.batch = count, .capacity = session.cache().length(0) + more, .chunk = 1})),
      logits_(Tensor::from(session.logits(), {1, static_cast<int64_t>(session.logits().size())})) {
  cache_.fork(session.cache(), 0);
}

std::span<const float> Branches::logits(int64_t branch) const {
  const auto vocab = static_cast<size_t>(logits_.dim(1));
  return logits_.span<float>().subspan(logits_.dim(0) == 1 ? 0 : static_cast<size_t>(branch) * vocab, vocab);
}

void Branches::advance(std::span<const int64_t> from, std::span<const int32_t> tokens) {
  const autograd::NoGrad no_grad;
  cache_.reorder(from);
  nn::ForwardContext context = cache_.next(1);
  context.source = source_;
  const Tensor states = model_.hidden(Tensor::from(tokens, {count(), 1}), context);
  cache_.commit(1);
  logits_ = model_.logits(states.reshaped({count(), states.dim(2)})).to(DType::f32);
}

}  // namespace quern::infer
