#include "align/answers.h"

#include "autograd/graph.h"
#include "autograd/training_kernels.h"
#include "ops/scale.h"

namespace quern::align {

namespace {

Tensor at_temperature(const Tensor& states, double temperature) {
  return temperature == 1.0 ? states : ops::scale(states, 1.0 / temperature);
}

}  // namespace

std::vector<size_t> learnt_places(const data::SupervisedBatch& batch, size_t sequence) {
  const data::SupervisedSequence& piece = batch.sequences[sequence];
  const auto first = static_cast<size_t>(piece.row * batch.tokens.dim(1) + piece.begin);
  const auto targets = batch.targets.span<int32_t>();
  std::vector<size_t> places;
  for (size_t i = first; i < first + static_cast<size_t>(piece.length); ++i)
    if (targets[i] != data::kIgnoredTarget) places.push_back(i);
  return places;
}

Answers::Answers(const model::Decoder& model, const data::SupervisedBatch& batch,
                 const nn::ForwardContext& context, double temperature)
    : batch_(batch), sums_(batch.sequences.size(), 0.0) {
  const autograd::TrainingKernels kernels;
  losses_ = model.row_losses(at_temperature(model.hidden(batch.tokens, context), temperature), batch.targets,
                             context.adapters);
  const auto losses = losses_.span<float>();
  const auto sequence = batch.sequence.span<int32_t>();
  for (size_t i = 0; i < losses.size(); ++i)
    if (sequence[i] >= 0) sums_[static_cast<size_t>(sequence[i])] -= double{losses[i]};
}

std::vector<double> Answers::token_log_probs(size_t sequence) const {
  const auto losses = losses_.span<float>();
  std::vector<double> log_probs;
  for (const size_t place : learnt_places(batch_, sequence)) log_probs.push_back(-double{losses[place]});
  return log_probs;
}

void Answers::backward(std::span<const double> d_rows) const {
  const Tensor seed(losses_.shape(), losses_.dtype());
  const auto values = seed.span<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(-d_rows[i]);
  autograd::backward(losses_, seed);
}

void Answers::backward_sums(std::span<const double> d_sums) const {
  const auto sequence = batch_.sequence.span<int32_t>();
  std::vector<double> d_rows(sequence.size(), 0.0);
  for (size_t i = 0; i < d_rows.size(); ++i)
    if (sequence[i] >= 0) d_rows[i] = d_sums[static_cast<size_t>(sequence[i])];
  backward(d_rows);
}

void Answers::backward_tokens(std::span<const std::vector<double>> d_tokens) const {
  std::vector<double> d_rows(static_cast<size_t>(batch_.tokens.numel()), 0.0);
  for (size_t i = 0; i < d_tokens.size(); ++i) {
    size_t j = 0;
    for (const size_t place : learnt_places(batch_, i)) d_rows[place] = d_tokens[i][j++];
  }
  backward(d_rows);
}

}  // namespace quern::align
