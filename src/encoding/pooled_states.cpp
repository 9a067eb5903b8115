#include "encoding/pooled_states.h"

#include <cmath>
#include <vector>

#include "autograd/graph.h"

namespace quern::encoding {

using infer::Pooling;

namespace {

// What token t of `length` weighs in a way of pooling that is a sum.
double weight_of(Pooling pooling, int64_t t, int64_t length) {
  const auto count = static_cast<double>(length);
  switch (pooling) {
    case Pooling::cls:
      return t == 0 ? 1.0 : 0.0;
    case Pooling::last:
      return t == length - 1 ? 1.0 : 0.0;
    case Pooling::mean:
      return 1.0 / count;
    case Pooling::mean_sqrt_len:
      return 1.0 / std::sqrt(count);
    case Pooling::weighted_mean:
      return static_cast<double>(t + 1) / (count * (count + 1.0) / 2.0);
    default:
      return 0.0;
  }
}

// Calls each(b, t, weight) for every token that has a part in channel c: of a maximum the first that has it.
template <class Each>
void for_each_part(const Tensor& states, std::span<const int64_t> lengths, Pooling pooling, int64_t b,
                   int64_t c, const Each& each) {
  const int64_t time = states.dim(1), width = states.dim(2), length = lengths[static_cast<size_t>(b)];
  if (pooling != Pooling::max) {
    for (int64_t t = 0; t < length; ++t)
      if (const double weight = weight_of(pooling, t, length); weight != 0.0) each(t, weight);
    return;
  }
  const auto at = [&](int64_t t) { return states.data<double>()[(b * time + t) * width + c]; };
  int64_t most = 0;
  for (int64_t t = 1; t < length; ++t)
    if (at(t) > at(most)) most = t;
  each(most, 1.0);
}

}  // namespace

Tensor pooled_states(const Tensor& states, std::span<const int64_t> lengths,
                     std::span<const Pooling> pooling) {
  const int64_t batch = states.dim(0), time = states.dim(1), width = states.dim(2);
  const auto ways = static_cast<int64_t>(pooling.size());
  const Tensor x = states.detached().to(DType::f64);
  Tensor sums = Tensor::zeros({batch, ways * width}, DType::f64);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < ways * width; ++i) {
      double& sum = sums.data<double>()[b * ways * width + i];
      for_each_part(x, lengths, pooling[static_cast<size_t>(i / width)], b, i % width,
                    [&](int64_t t, double weight) {
                      sum += weight * x.data<double>()[(b * time + t) * width + i % width];
                    });
    }
  }
  Tensor y = sums.to(wide_of(states.dtype()));
  if (!autograd::recording({&states})) return y;
  // Saved for backward: the states, for maxima.
  autograd::record(y, "pooled_states", {states},
                   [=, lengths = std::vector<int64_t>(lengths.begin(), lengths.end()),
                    pooling = std::vector<Pooling>(pooling.begin(), pooling.end())](
                       const Tensor& dy, autograd::BackwardContext& inputs) {
                     const Tensor from = dy.to(DType::f64), dx = Tensor::zeros(x.shape(), DType::f64);
                     for (int64_t b = 0; b < batch; ++b) {
                       for (int64_t i = 0; i < ways * width; ++i) {
                         const double slope = from.data<double>()[b * ways * width + i];
                         for_each_part(x, lengths, pooling[static_cast<size_t>(i / width)], b, i % width,
                                       [&](int64_t t, double weight) {
                                         dx.data<double>()[(b * time + t) * width + i % width] +=
                                             weight * slope;
                                       });
                       }
                     }
                     inputs.give(0, dx.to(inputs.buffer_dtype(0)));
                   });
  return y;
}

}  // namespace quern::encoding
