#include "encoding/label_counts.h"

namespace quern::encoding {

void FoundCounts::add(bool there, bool said) {
  found += there && said;
  missed += there && !said;
  made_up += !there && said;
}

double FoundCounts::precision() const {
  return found == 0 ? 0.0 : static_cast<double>(found) / static_cast<double>(found + made_up);
}

double FoundCounts::recall() const {
  return found == 0 ? 0.0 : static_cast<double>(found) / static_cast<double>(found + missed);
}

double FoundCounts::f1() const {
  const int64_t all = 2 * found + missed + made_up;
  return all == 0 ? 0.0 : 2.0 * static_cast<double>(found) / static_cast<double>(all);
}

double LabelCounts::macro_f1() const {
  double sum = 0.0;
  int64_t seen = 0;
  for (const FoundCounts& row : rows_) {
    if (row.found + row.missed + row.made_up == 0) continue;
    sum += row.f1();
    ++seen;
  }
  return seen == 0 ? 0.0 : sum / static_cast<double>(seen);
}

}  // namespace quern::encoding
