#include "align/reference.h"

namespace quern::align {

Reference Reference::without(const model::Decoder& model, const nn::LoraAdapter& adapter) {
  Reference reference;
  reference.model_ = {std::shared_ptr<const void>(), &model};
  reference.none_ = std::make_shared<const nn::AdapterRows>(nn::AdapterRows{&adapter, 0, 0});
  return reference;
}

Reference Reference::of(std::shared_ptr<const model::Decoder> model) {
  Reference reference;
  reference.model_ = std::move(model);
  return reference;
}

nn::ForwardContext Reference::context(const data::SupervisedBatch& batch) const {
  nn::ForwardContext context = nn::ForwardContext::packed(batch.positions);
  if (none_) context.adapters = std::span(none_.get(), 1);
  return context;
}

}  // namespace quern::align
