// How often labels were found, missed and made up: F1 of each (van Rijsbergen 1979), and their mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::encoding {

class LabelCounts {
 public:
  explicit LabelCounts(size_t labels) : rows_(labels) {}

  // That `label` was there, or was said to be, or both.
  void add(size_t label, bool there, bool said);
  // The mean over labels that were there or were said to be; 0 of none. As scikit-learn's average="macro".
  double macro_f1() const;

 private:
  struct Row {
    int64_t found = 0, missed = 0, made_up = 0;
  };
  std::vector<Row> rows_;
};

// 2 p r / (p + r) of counts; 0 where nothing was found.
double f1_of(int64_t found, int64_t missed, int64_t made_up);

}  // namespace quern::encoding
