// Criterion: what examples lose, and the gradient of it. One implementation per kind of tuning.
#pragma once

#include <vector>

#include "data/supervised_sampler.h"
#include "nn/context.h"
#include "train/evaluate.h"
#include "train/objective.h"

namespace quern::train {

// A mean over what was added since clear(): over a step that is learnt, or over everything held out. Not thread-safe.
class Criterion {
 public:
  virtual ~Criterion() = default;

  // The examples that it judges.
  virtual data::TokenContent content() const = 0;
  // Its settings, which make another run.
  virtual void describe(Fingerprint&) const {}

  virtual void clear() = 0;
  // Before the batches of each step of `examples`.
  virtual void begin_step(const data::SupervisedSampler& examples, const data::SupervisedStep& step) = 0;
  // Adds what the examples of a batch lose; where anything is recorded, also the gradient of `scale` times their part of
  // the mean loss of the step to the model's.
  virtual void add(const data::SupervisedBatch& batch, const nn::ForwardContext& context, double scale) = 0;

  virtual double loss() const = 0;
  // What else was found: in steps, and in evaluations.
  virtual std::vector<Figure> figures() const { return {}; }
  virtual std::vector<Figure> evaluation_figures() const { return figures(); }
};

}  // namespace quern::train
