#include "align/reference.h"

namespace quern::align {

namespace {

// The first `count` tokens of each document are seen by themselves alone, and the others stand where they would without them.
void hide_first(nn::ForwardContext& context, int64_t count) {
  if (count == 0) return;
  context.positions = context.positions.clone();
  const auto hidden = static_cast<int32_t>(count);
  const auto positions = context.positions.span<int32_t>(), begins = context.mask.begin.span<int32_t>();
  for (size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] < hidden) continue;
    positions[i] -= hidden;
    begins[i] += hidden;
  }
}

}  // namespace

Reference Reference::without(const model::Decoder& model, const nn::Adapter& adapter) {
  Reference reference;
  reference.model_ = {std::shared_ptr<const void>(), &model};
  reference.hidden_ = adapter.virtual_tokens();
  const bool hides = reference.hidden_ > 0;
  reference.rows_ = std::make_shared<const nn::AdapterRows>(hides ? nn::AdapterRows{&adapter}
                                                                  : nn::AdapterRows{&adapter, 0, 0});
  return reference;
}

Reference Reference::with(const model::Decoder& model, std::shared_ptr<const nn::Adapter> adapter) {
  Reference reference;
  reference.model_ = {std::shared_ptr<const void>(), &model};
  reference.adapter_ = std::move(adapter);
  reference.rows_ = std::make_shared<const nn::AdapterRows>(nn::AdapterRows{reference.adapter_.get()});
  return reference;
}

Reference Reference::of(std::shared_ptr<const model::Decoder> model) {
  Reference reference;
  reference.model_ = std::move(model);
  return reference;
}

nn::ForwardContext Reference::context(const data::SupervisedBatch& batch) const {
  nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
  if (rows_) context.adapters = std::span(rows_.get(), 1);
  hide_first(context, hidden_);
  return context;
}

}  // namespace quern::align
