#include "train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "autograd/graph.h"

namespace quern::train {

std::optional<double> Evaluation::figure(std::string_view name) const {
  const auto found = std::ranges::find(figures, name, &Figure::first);
  return found == figures.end() ? std::nullopt : std::optional(found->second);
}

Result<Evaluation> evaluate(const model::Decoder& model, const data::TokenDataset& dataset,
                            const EvaluateOptions& options) {
  const autograd::NoGrad no_grad;
  data::SamplerOptions sampling;
  sampling.mode = options.mode;
  sampling.shuffle = false;
  sampling.repeat = false;
  QUERN_TRY(data::BatchSampler sampler, data::BatchSampler::create(dataset, sampling));
  Evaluation result;
  double sum = 0.0;
  data::Batch batch;
  for (int64_t i = 0;
       (options.max_batches == 0 || i < options.max_batches) && sampler.next(options.shape, batch); ++i) {
    const Tensor states = model.hidden(batch.tokens, nn::ForwardContext::packed(batch.positions));
    sum += model.loss(states, batch.targets, {}).item();
    result.tokens += batch.target_count;
  }
  result.loss = sum / static_cast<double>(result.tokens);
  result.figures.emplace_back("perplexity", std::exp(result.loss));
  if (dataset.source_bytes() > 0) {
    const double tokens_per_byte =
        static_cast<double>(dataset.token_count()) / static_cast<double>(dataset.source_bytes());
    result.figures.emplace_back("bits_per_byte", result.loss * tokens_per_byte / std::numbers::ln2);
  }
  return result;
}

}  // namespace quern::train
