#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/reference/access.h"
#include "backend/reference/kernels.h"
#include "base/threads.h"

namespace quern::backend::reference {

namespace {

double capped(double x, double softcap) { return softcap > 0.0 ? softcap * std::tanh(x / softcap) : x; }

template <class T>
double log_sum_exp(const T* logits, int64_t count, double softcap) {
  double top = -std::numeric_limits<double>::infinity(), total = 0.0;
  for (int64_t c = 0; c < count; ++c) top = std::max(top, capped(to_double(logits[c]), softcap));
  for (int64_t c = 0; c < count; ++c) total += std::exp(capped(to_double(logits[c]), softcap) - top);
  return top + std::log(total);
}

template <class T, class Wide>
void cross_entropy_row(const CrossEntropyArgs& a, int64_t r) {
  T* logits = static_cast<T*>(a.logits) + r * a.vocab;
  Wide& loss = static_cast<Wide*>(a.loss)[r];
  const int32_t target = a.targets[r];
  if (target < 0) {
    loss = 0;
    if (a.gradient) std::fill_n(logits, a.vocab, from_double<T>(0.0));
    return;
  }
  const double lse = log_sum_exp(logits, a.vocab, a.softcap);
  loss = static_cast<Wide>(lse - capped(to_double(logits[target]), a.softcap));
  if (!a.gradient) return;
  const double weight = at<Wide>(a.weight, r, 0.0);
  for (int64_t c = 0; c < a.vocab; ++c) {
    const double value = capped(to_double(logits[c]), a.softcap);
    const double slope = a.softcap > 0.0 ? 1.0 - (value / a.softcap) * (value / a.softcap) : 1.0;
    logits[c] = from_double<T>((std::exp(value - lse) - (c == target ? 1.0 : 0.0)) * weight * slope);
  }
}

}  // namespace

bool cross_entropy(const CrossEntropyArgs& a) {
  return visit_pair(a.dtype, [&]<class T, class Wide>() {
    parallel_for(a.rows, 1 + 4096 / std::max<int64_t>(a.vocab, 1), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) cross_entropy_row<T, Wide>(a, r);
    });
  });
}

}  // namespace quern::backend::reference
