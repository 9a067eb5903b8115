#include "align/reference.h"

namespace quern::align {

Reference Reference::without(const model::Decoder& model, const nn::LoraAdapter& adapter) {
  Reference reference;
  reference.model_ = {std::shared_ptr<const void>(), &model};
  reference.rows_ = std::make_shared<const nn::AdapterRows>(nn::AdapterRows{&adapter, 0, 0});
  return reference;
}

Reference Reference::with(const model::Decoder& model, std::shared_ptr<const nn::LoraAdapter> adapter) {
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
  return context;
}

}  // namespace quern::align
