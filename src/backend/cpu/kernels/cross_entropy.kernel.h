// Softmax cross-entropy of rows of logits, its gradient written over them.
#pragma once

#include "backend/cpu/kernels/support.h"

namespace quern::backend::cpu::QUERN_ISA {

template <class T>
class CrossEntropyRow {
 public:
  CrossEntropyRow(const CrossEntropyArgs& a, int64_t row)
      : logits_(static_cast<T*>(a.logits) + row * a.vocab),
        vocab_(a.vocab),
        cap_(static_cast<float>(a.softcap)) {}

  // The loss; afterwards gradient() may follow.
  float loss(int64_t target) {
    log_sum_ = log_sum_exp();
    target_ = target;
    at_target_ = T(logits_[target]);
    return log_sum_ - first(value(Vec::load(&at_target_, FirstLanes{1})));
  }

  // logits <- (softmax - onehot) * weight * derivative of the soft-cap.
  void gradient(float weight) {
    const auto write = [&](const T* from, T* to, Vec onehot, auto lanes) {
      const Vec x = value(Vec::load(from, lanes));
      Vec g = (exp(x - Vec(log_sum_)) - onehot) * Vec(weight);
      if (cap_ > 0.0f) {
        const Vec t = x * Vec(1.0f / cap_);
        g = g * fnma(t, t, Vec(1.0f));
      }
      g.store(to, lanes);
    };
    for_lanes(vocab_, [&](int64_t i, auto lanes) { write(logits_ + i, logits_ + i, Vec(0.0f), lanes); });
    write(&at_target_, logits_ + target_, Vec(1.0f), FirstLanes{1});
  }

  void clear() {
    for_lanes(vocab_, [&](int64_t i, auto lanes) { Vec(0.0f).store(logits_ + i, lanes); });
  }

 private:
  static float first(Vec x) {
    float value;
    x.store(&value, FirstLanes{1});
    return value;
  }

  Vec value(Vec logit) const { return cap_ > 0.0f ? tanh(logit * Vec(1.0f / cap_)) * Vec(cap_) : logit; }

  float log_sum_exp() const {
    Vec top(-kInfinity);
    for_lanes(vocab_, [&](int64_t i, auto lanes) {
      top = max(top, keep(lanes, value(Vec::load(logits_ + i, lanes)), Vec(-kInfinity)));
    });
    const Vec shift(max_lanes(top));
    DoubleLanes sum;  // tens of thousands of terms
    for_lanes(vocab_, [&](int64_t i, auto lanes) {
      sum.add(keep(lanes, exp(value(Vec::load(logits_ + i, lanes)) - shift), Vec(0.0f)));
    });
    double parts[kWidth], total = 0.0;
    sum.store(parts);
    for (const double part : parts) total += part;
    return first(shift) + static_cast<float>(__builtin_log(total));
  }

  T* logits_;
  int64_t vocab_;
  float cap_;
  float log_sum_ = 0.0f;
  int64_t target_ = 0;
  T at_target_{};
};

inline bool cross_entropy(const CrossEntropyArgs& a) {
  return visit_dtype(a.dtype, [&]<class T>() {
    float* loss = static_cast<float*>(a.loss);
    parallel_for(a.rows, row_grain(kHeavyGrain, a.vocab), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        CrossEntropyRow<T> row(a, r);
        if (a.targets[r] < 0) {
          loss[r] = 0.0f;
          if (a.gradient) row.clear();
          continue;
        }
        loss[r] = row.loss(a.targets[r]);
        if (a.gradient) row.gradient(static_cast<const float*>(a.weight)[r]);
      }
    });
  });
}

}  // namespace quern::backend::cpu::QUERN_ISA
