// Learning from a teacher: what a larger model says of every token that is learnt, beside the token itself.
#pragma once

#include "align/reference.h"
#include "ops/linear_distillation.h"
#include "train/criterion.h"

namespace quern::align {

// The mean over the targets of a step of ops::linear_distillation. Its figures: hard_loss, the cross-entropy alone;
// divergence from the teacher at the temperature, in nats per token; agreement, how often both find the same token
// likeliest. Evaluations add the perplexity of the hard loss. A student that is equal to its teacher diverges by nothing: the
// teacher computes with the kernels of training.
class DistillationCriterion final : public train::Criterion {
 public:
  // The student must outlive it. Preconditions: both have language heads and one vocabulary, and compute in one dtype;
  // options.weights is undefined.
  DistillationCriterion(const model::Decoder& student, Reference teacher,
                        const ops::DistillationOptions& options);

  data::TokenContent content() const override { return data::TokenContent::supervised; }
  void describe(train::Fingerprint& print) const override;
  void clear() override { sums_ = {}; }
  void begin_step(const data::SupervisedSampler& examples, const data::SupervisedStep& step) override;
  void add(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double scale) override;
  double loss() const override { return sums_.loss / sums_.targets; }
  std::vector<train::Figure> figures() const override;
  std::vector<train::Figure> evaluation_figures() const override;

 private:
  const model::Decoder* student_;
  Reference teacher_;
  ops::DistillationOptions options_;
  std::string teacher_key_;  // of the teacher's weights
  double step_targets_ = 0.0;
  struct {
    double targets = 0.0, loss = 0.0, hard = 0.0, divergence = 0.0, agrees = 0.0;
  } sums_;
};

}  // namespace quern::align
