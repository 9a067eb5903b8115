#include "encoding/length_batches.h"

#include <algorithm>

#include "data/permutation.h"

namespace quern::encoding {

LengthBatches::LengthBatches(std::vector<int64_t> lengths, int64_t batch, uint64_t seed, bool sorted)
    : lengths_(std::move(lengths)), batch_(batch), seed_(seed), sorted_(sorted) {}

std::vector<int64_t> LengthBatches::at(int64_t step) const {
  const auto epoch = static_cast<uint64_t>(step / per_epoch());
  const int64_t within = step % per_epoch(), stretch = within / kStretch;
  const int64_t begin = stretch * kStretch * batch_, end = std::min(size(), begin + kStretch * batch_);
  const data::Permutation order(static_cast<uint64_t>(size()), seed_, epoch);
  std::vector<int64_t> chosen;
  for (int64_t i = begin; i < end; ++i)
    chosen.push_back(static_cast<int64_t>(order(static_cast<uint64_t>(i))));
  const auto longer = [&](int64_t a, int64_t b) {
    return lengths_[static_cast<size_t>(a)] > lengths_[static_cast<size_t>(b)];
  };
  int64_t place = within % kStretch;
  if (sorted_) {
    std::ranges::stable_sort(chosen, longer);
    const int64_t batches = (end - begin + batch_ - 1) / batch_;
    // Apart from the order of examples.
    const data::Permutation turns(static_cast<uint64_t>(batches), ~seed_,
                                  epoch << 32 | static_cast<uint64_t>(stretch));
    place = static_cast<int64_t>(turns(static_cast<uint64_t>(place)));
  }
  const auto first = chosen.begin() + static_cast<std::ptrdiff_t>(place * batch_);
  std::vector<int64_t> result(first, std::min(first + static_cast<std::ptrdiff_t>(batch_), chosen.end()));
  std::ranges::stable_sort(result, longer);
  return result;
}

}  // namespace quern::encoding
