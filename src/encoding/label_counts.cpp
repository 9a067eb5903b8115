#include "encoding/label_counts.h"

namespace quern::encoding {

double f1_of(int64_t found, int64_t missed, int64_t made_up) {
  const int64_t all = 2 * found + missed + made_up;
  return all == 0 ? 0.0 : 2.0 * static_cast<double>(found) / static_cast<double>(all);
}

void LabelCounts::add(size_t label, bool there, bool said) {
  Row& row = rows_[label];
  row.found += there && said;
  row.missed += there && !said;
  row.made_up += !there && said;
}

double LabelCounts::macro_f1() const {
  double sum = 0.0;
  int64_t seen = 0;
  for (const Row& row : rows_) {
    if (row.found + row.missed + row.made_up == 0) continue;
    sum += f1_of(row.found, row.missed, row.made_up);
    ++seen;
  }
  return seen == 0 ? 0.0 : sum / static_cast<double>(seen);
}

}  // namespace quern::encoding
