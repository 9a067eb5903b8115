// EncoderCriterion: examples of one kind, and what an encoder, or an encoder-decoder, loses on them. One implementation for each
// kind.
#pragma once

#include <span>
#include <vector>

#include "encoding/text_tokens.h"
#include "train/evaluate.h"
#include "train/objective.h"

namespace quern::encoding {

// A set of examples, learnt or held out. Sums over what was added since clear(). Not thread-safe.
class EncoderCriterion {
 public:
  virtual ~EncoderCriterion() = default;

  virtual int64_t size() const = 0;
  // Tokens of an example.
  virtual int64_t length(int64_t example) const = 0;
  // What the mean loss of examples is over: they themselves, or places in them; `draw` is that of the pass.
  virtual int64_t targets(std::span<const int64_t> chosen, uint64_t /*draw*/) const {
    return static_cast<int64_t>(chosen.size());
  }
  // Whether examples of a step cannot be added apart, since each is judged beside the others; see EncoderPass::rows.
  virtual bool beside_each_other() const { return false; }
  // Settings that make another run.
  virtual void describe(train::Fingerprint&) const {}

  virtual void clear() = 0;
  // Adds what `chosen` lose; where anything is recorded, also the gradient of `weight` times their losses to the model's.
  virtual void add(std::span<const int64_t> chosen, const EncoderPass& pass, double weight) = 0;
  // The mean.
  virtual double loss() const = 0;
  // What else was found: in steps, and in evaluations.
  virtual std::vector<train::Figure> figures() const { return {}; }
  virtual std::vector<train::Figure> evaluation_figures() const { return figures(); }
};

}  // namespace quern::encoding
