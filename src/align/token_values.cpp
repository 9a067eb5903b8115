#include "align/token_values.h"

#include "align/answers.h"
#include "autograd/graph.h"
#include "autograd/training_kernels.h"

namespace quern::align {

ValueModel::ValueModel(std::shared_ptr<const model::RewardModel> model,
                       std::shared_ptr<const nn::Adapter> adapter)
    : model_(std::move(model)), adapter_(std::move(adapter)) {
  if (adapter_) rows_ = std::make_shared<const nn::AdapterRows>(nn::AdapterRows{adapter_.get()});
}

nn::ForwardContext ValueModel::context(nn::ForwardContext context) const {
  if (rows_) context.adapters = std::span(rows_.get(), 1);
  return context;
}

TokenValues::TokenValues(const ValueModel& values, const data::SupervisedBatch& batch,
                         const nn::ForwardContext& context)
    : batch_(batch) {
  const autograd::TrainingKernels kernels;
  values_ = values.model().values(values.model().decoder().hidden(batch.tokens, values.context(context)));
}

std::vector<double> TokenValues::of(size_t sequence) const {
  const auto values = values_.span<float>();
  std::vector<double> found;
  for (const size_t place : learnt_places(batch_, sequence)) found.push_back(double{values[place]});
  return found;
}

void TokenValues::backward(std::span<const std::vector<double>> d_values) const {
  const Tensor seed = Tensor::zeros(values_.shape(), values_.dtype());
  const auto places = seed.span<float>();
  for (size_t i = 0; i < d_values.size(); ++i) {
    size_t j = 0;
    for (const size_t place : learnt_places(batch_, i)) places[place] = static_cast<float>(d_values[i][j++]);
  }
  autograd::backward(values_, seed);
}

}  // namespace quern::align
