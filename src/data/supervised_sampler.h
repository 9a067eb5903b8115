// SupervisedSampler: the examples of a token file with masks as the steps of a training run: which of them a step
// learns from, and how they lie in its micro-batches.
//
//   data::SupervisedStep step = sampler.step(state.examples, options.batch);
//   for (const data::SupervisedBatch& batch : step.micro_batches) {
//     const auto context = nn::ForwardContext::packed(batch.positions);
//     const Tensor loss = model.loss(model.hidden(batch.tokens, context), batch.targets, batch.weights);
//     autograd::backward(loss);   // the sum over the micro-batches is the mean over all targets of the step
//   }
//   state.examples += step.examples;
//
// A step is a pure function of the file, the options and the examples drawn before it: a run resumes from that one
// number. How a step is cut into micro-batches, packed or padded, changes nothing but the order of sums, since each
// target weighs 1 / all targets of the step, whichever micro-batch it is in.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "data/batch.h"
#include "data/token_dataset.h"

namespace quern::data {

struct SupervisedOptions {
  int64_t sequence = 1024;  // tokens of a row, at most
  int64_t rows =
      1;  // of a micro-batch, at most; of preferences twice as many, so that a pair fits in any case
  // Several examples in one row, each attending to itself alone; false: each has a row of its own, and those of a
  // micro-batch are of similar lengths.
  bool packed = true;
  bool shuffle = true;  // a new order each epoch; false keeps that of the file
  uint64_t seed = 0;
  // The last token of each sequence has a place, too, which nothing follows: where whole texts are judged.
  bool last_tokens = false;
  // Stand before each sequence, which sees them; nothing of them is learnt. An adapter's virtual tokens, say.
  std::vector<int32_t> before = {};
};

// Where one sequence stands in a micro-batch: a document of n tokens takes n - 1 places of its row, each with the
// token and the one that follows as its target; with last_tokens also one for the last, whose target is ignored. What stands
// before it takes more.
struct SupervisedSequence {
  int64_t document =
      0;  // of the dataset; of preferences, 2i is the preferred answer and 2i + 1 the other one
  int64_t row = 0;
  int64_t begin = 0;    // place in the row
  int64_t length = 0;   // places
  int64_t targets = 0;  // of them that are learnt
  float value = 0.0f;   // TokenDataset::value
};

// Rows as long as their fullest; [B, T] tensors all.
struct SupervisedBatch : Batch {
  Tensor weights;   // f32: 1 / all targets of the step where the target is learnt, otherwise 0
  Tensor sequence;  // i32: index into `sequences` of what stands there, -1 for padding
  // Of preferences, 2i and 2i + 1 are the answers of one pair.
  std::vector<SupervisedSequence> sequences;
};

struct SupervisedStep {
  std::vector<SupervisedBatch> micro_batches;
  int64_t examples = 0;  // a pair counts as one
  int64_t targets = 0;   // that are learnt
  int64_t tokens = 0;    // places that are no padding
  int64_t places = 0;    // B x T, summed
};

// Immutable: safe to ask from many threads.
class SupervisedSampler {
 public:
  // invalid_argument when there are no examples, when one is longer than a row (how many, and the longest), or when
  // nothing of one is learnt.
  static Result<SupervisedSampler> create(TokenDataset dataset, SupervisedOptions options);

  const TokenDataset& dataset() const { return dataset_; }
  const SupervisedOptions& options() const { return options_; }
  int64_t example_count() const;
  // Targets of an epoch that are learnt.
  int64_t target_count() const { return target_count_; }
  int64_t steps_per_epoch(int64_t batch) const;
  // Up to `batch` examples after the first `drawn` ones, counted through all epochs; fewer where an epoch ends, so that
  // no step sees one twice. Preconditions: drawn >= 0, batch >= 1.
  SupervisedStep step(int64_t drawn, int64_t batch) const;

 private:
  SupervisedSampler(TokenDataset dataset, SupervisedOptions options);
  struct Layout;
  int64_t places_of(int64_t document) const;
  std::vector<Layout> lay_out(int64_t drawn, int64_t count) const;
  SupervisedBatch fill(const Layout& layout) const;

  TokenDataset dataset_;
  SupervisedOptions options_;
  int64_t documents_per_example_;
  int64_t target_count_ = 0;
};

}  // namespace quern::data
