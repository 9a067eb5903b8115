// Which examples a step learns from: those of similar lengths together, so that little is padding.
#pragma once

#include <cstdint>
#include <vector>

namespace quern::encoding {

// Each epoch takes every example once, in an order that is a function of (seed, epoch): a permutation, of which stretches of
// kStretch batches are sorted by length and cut into batches, which come in an order of their own. Immutable.
class LengthBatches {
 public:
  static constexpr int64_t kStretch = 50;  // transformers' group_by_length takes as many

  // `sorted`: false: batches of the permutation as they come. Precondition: there are lengths, and batch is positive.
  LengthBatches(std::vector<int64_t> lengths, int64_t batch, uint64_t seed, bool sorted);

  int64_t size() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t per_epoch() const { return (size() + batch_ - 1) / batch_; }
  // The examples of step `step` of the run, the longest first; fewer than a batch at an epoch's end.
  std::vector<int64_t> at(int64_t step) const;

 private:
  std::vector<int64_t> lengths_;
  int64_t batch_;
  uint64_t seed_;
  bool sorted_;
};

}  // namespace quern::encoding
