// The reference that a model is held to while it is aligned: the model as it was before.
#pragma once

#include <memory>

#include "data/supervised_sampler.h"
#include "model/decoder.h"

namespace quern::align {

// Cheap to copy. What it refers to must outlive it.
class Reference {
 public:
  // The model without `adapter`, which is what learns: no second copy of the weights.
  static Reference without(const model::Decoder& model, const nn::Adapter& adapter);
  // The model with `adapter`, which does not learn, in place of the one that does.
  static Reference with(const model::Decoder& model, std::shared_ptr<const nn::Adapter> adapter);
  // Another model, which does not learn.
  static Reference of(std::shared_ptr<const model::Decoder> model);

  const model::Decoder& model() const { return *model_; }
  // For a pass of model() over a batch, whose virtual tokens nobody sees where the reference is without them; nothing is recorded by it where the caller is within NoGrad.
  nn::ForwardContext context(const data::SupervisedBatch& batch) const;

 private:
  Reference() = default;
  std::shared_ptr<const model::Decoder> model_;
  std::shared_ptr<const nn::Adapter> adapter_;
  // All rows of adapter_; or [0, 0) of what learns: a context that names an adapter for no row is one of the model alone. Of
  // virtual tokens that learn all rows: they stand there, hidden.
  std::shared_ptr<const nn::AdapterRows> rows_;
  int64_t hidden_ = 0;  // virtual tokens before each sequence
};

}  // namespace quern::align
