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

Answers::Answers(const model::Decoder& model, const data::SupervisedBatch& batch,
                 const nn::ForwardContext& context, double temperature)
    : batch_(batch), sums_(batch.sequences.size(), 0.0) {
  const autograd::TrainingKernels kernels;
  losses_ = model.row_losses(at_temperature(model.hidden(batch.tokens, context), temperature), batch.targets);
  const auto losses = losses_.span<float>();
  const auto sequence = batch.sequence.span<int32_t>();
  for (size_t i = 0; i < losses.size(); ++i)
    if (sequence[i] >= 0) sums_[static_cast<size_t>(sequence[i])] -= double{losses[i]};
}

std::vector<double> Answers::token_log_probs(size_t sequence) const {
  const data::SupervisedSequence& place = batch_.sequences[sequence];
  const auto first = static_cast<size_t>(place.row * batch_.tokens.dim(1) + place.begin);
  const auto losses = losses_.span<float>().subspan(first, static_cast<size_t>(place.length));
  const auto targets = batch_.targets.span<int32_t>().subspan(first, static_cast<size_t>(place.length));
  std::vector<double> log_probs;
  for (size_t i = 0; i < losses.size(); ++i)
    if (targets[i] != data::kIgnoredTarget) log_probs.push_back(-double{losses[i]});
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
  const auto sequence = batch_.sequence.span<int32_t>(), targets = batch_.targets.span<int32_t>();
  std::vector<double> d_rows(sequence.size(), 0.0);
  std::vector<size_t> next(d_tokens.size(), 0);
  for (size_t i = 0; i < d_rows.size(); ++i) {
    if (sequence[i] < 0 || targets[i] == data::kIgnoredTarget) continue;
    const auto of = static_cast<size_t>(sequence[i]);
    d_rows[i] = d_tokens[of][next[of]++];
  }
  backward(d_rows);
}

}  // namespace quern::align
