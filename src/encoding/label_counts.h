// How often labels were found, missed and made up: F1 of each (van Rijsbergen 1979), and their mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::encoding {

// Of one kind of things: how many were found, missed, and said to be there where they were not.
struct FoundCounts {
  int64_t found = 0, missed = 0, made_up = 0;

  // That one was there, or was said to be, or both.
  void add(bool there, bool said);
  double precision() const;  // 0 where nothing was found, as the others
  double recall() const;
  double f1() const;
};

class LabelCounts {
 public:
  explicit LabelCounts(size_t labels) : rows_(labels) {}

  void add(size_t label, bool there, bool said) { rows_[label].add(there, said); }
  // The mean over labels that were there or were said to be; 0 of none. As scikit-learn's average="macro".
  double macro_f1() const;

 private:
  std::vector<FoundCounts> rows_;
};

}  // namespace quern::encoding
