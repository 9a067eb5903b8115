// The log-probabilities of answers: what losses over whole answers begin with, and where their gradients enter a model.
#pragma once

#include <span>
#include <vector>

#include "data/supervised_sampler.h"
#include "model/decoder.h"

namespace quern::align {

// Of the B * T places of a batch, those whose targets are learnt tokens of a sequence, in order.
std::vector<size_t> learnt_places(const data::SupervisedBatch& batch, size_t sequence);

// Of the learnt tokens of each sequence of a batch.
class Answers {
 public:
  // Runs the model over the batch as `context` says (ForwardContext::packed of its positions). Recorded unless within
  // NoGrad; by the same kernels in either case, so that two models differ by their weights alone.
  // At another temperature than 1, of the softmax of logits / temperature. Precondition: these are linear in the
  // states then (no soft cap, no bias).
  Answers(const model::Decoder& model, const data::SupervisedBatch& batch, const nn::ForwardContext& context,
          double temperature = 1.0);

  // Natural logarithms, summed in double.
  double sum(size_t sequence) const { return sums_[sequence]; }
  // Of the tokens of a sequence that are learnt, in order.
  std::vector<double> token_log_probs(size_t sequence) const;
  // Adds to the gradients of the model what the derivatives of a loss by the log-probabilities of the tokens,
  // d_rows [B * T], one for each place of the batch, make there; those of places that are not learnt do not count. Once.
  void backward(std::span<const double> d_rows) const;
  // The same by sums: each token of sequence i has the derivative d_sums[i].
  void backward_sums(std::span<const double> d_sums) const;
  // The same by tokens: [i][j] of the j-th learnt token of sequence i, as token_log_probs() has them.
  void backward_tokens(std::span<const std::vector<double>> d_tokens) const;

 private:
  const data::SupervisedBatch& batch_;
  Tensor losses_;  // f32 [B * T]: -log p
  std::vector<double> sums_;
};

}  // namespace quern::align
