// Means with their standard errors, and quantiles, of what was measured token by token.
#pragma once

#include <cstdint>
#include <span>

namespace quern::eval {

struct Estimate {
  double value = 0.0;
  double error = 0.0;  // one standard error; 0 for fewer than two values
};

// The mean of values as they come, and its standard error from their spread around it, as of independent draws.
class RunningMean {
 public:
  void add(double value);
  int64_t count() const { return count_; }
  Estimate estimate() const;

 private:
  int64_t count_ = 0;
  double mean_ = 0.0;
  double squares_ = 0.0;  // of the distances from the mean
};

Estimate mean_of(std::span<const double> values);
// The mean of products (a - mean a)(b - mean b). Precondition: as many of both.
double covariance(std::span<const double> a, std::span<const double> b);
// 0 when one of them is constant.
double correlation(std::span<const double> a, std::span<const double> b);
// Quantile q in [0, 1] of values in rising order, linear between neighbours. 0 of none.
double quantile(std::span<const double> sorted, double q);

// f(x), with the error that it has to first order where its slope is `slope`.
Estimate through(const Estimate& x, double value, double slope);
// exp(x)
Estimate exponential(const Estimate& x);

}  // namespace quern::eval
