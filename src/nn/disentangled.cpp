#include "nn/disentangled.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "autograd/graph.h"
#include "base/threads.h"
#include "ops/linear.h"
#include "ops/transpose.h"

namespace quern::nn {

namespace {

// Head `h` of [B, T, H, D] as a matrix [B * T, D] of T.
template <class T>
Tensor head_of(const Tensor& heads, int64_t h) {
  const Tensor wide = heads.to(wide_of(heads.dtype()));
  const int64_t rows = heads.dim(0) * heads.dim(1), count = heads.dim(2), width = heads.dim(3);
  Tensor result({rows, width}, wide.dtype());
  for (int64_t row = 0; row < rows; ++row) {
    const T* from = wide.data<T>() + (row * count + h) * width;
    std::copy(from, from + width, result.data<T>() + row * width);
  }
  return result;
}

// The way back: `matrix` [B * T, D] becomes head `h` of `heads`.
template <class T>
void set_head(const Tensor& matrix, int64_t h, const Tensor& heads) {
  const int64_t rows = matrix.dim(0), count = heads.dim(2), width = heads.dim(3);
  for (int64_t row = 0; row < rows; ++row) {
    const T* from = matrix.data<T>() + row * width;
    std::copy(from, from + width, heads.data<T>() + (row * count + h) * width);
  }
}

// a [M, K] times b [K, N].
Tensor product(const Tensor& a, const Tensor& b) { return ops::linear(a, ops::transpose(b)); }

// Scores of content against distance, from products of each token with all distances, and the way back.
struct Distances {
  int64_t batch, time, heads, rows;
  double scale;
  std::vector<int64_t> row_of;  // by distance, from -(time - 1) on

  Distances(const Tensor& q, const DisentangledSpec& spec, double factor)
      : batch(q.dim(0)), time(q.dim(1)), heads(q.dim(2)), rows(2 * spec.buckets), scale(factor) {
    for (int64_t i = 0; i < 2 * time - 1; ++i) row_of.push_back(distance_row(i - (time - 1), spec));
  }

  int64_t row(int64_t t, int64_t s) const { return row_of[static_cast<size_t>(t - s + time - 1)]; }
  template <class Each>
  void for_each_token(const Each& each) const {
    parallel_for(batch * time, 1 + (1 << 14) / time, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) each(i / time, i % time);
    });
  }

  // content, place [B * T, rows]: of queries with the keys of distances, and of keys with their queries. Fills head `h`
  // of `bias` [B, H, T, T].
  template <class T>
  void spread(const Tensor& content, const Tensor& place, int64_t h, const Tensor& bias) const {
    for_each_token([&](int64_t b, int64_t t) {
      const T* const of_query = content.data<T>() + (b * time + t) * rows;
      T* const to = bias.data<T>() + ((b * heads + h) * time + t) * time;
      for (int64_t s = 0; s < time; ++s) {
        const T sum = of_query[row(t, s)] + place.data<T>()[(b * time + s) * rows + row(t, s)];
        to[s] = static_cast<T>(scale) * sum;
      }
    });
  }

  // The gradients of both from that of the bias; they are zero before.
  template <class T>
  void gather(const Tensor& bias, int64_t h, const Tensor& content, const Tensor& place) const {
    for_each_token([&](int64_t b, int64_t i) {
      const T* const from = bias.data<T>() + (b * heads + h) * time * time;
      T* const of_query = content.data<T>() + (b * time + i) * rows;
      T* const of_key = place.data<T>() + (b * time + i) * rows;
      for (int64_t j = 0; j < time; ++j) {
        of_query[row(i, j)] += static_cast<T>(scale) * from[i * time + j];
        of_key[row(j, i)] += static_cast<T>(scale) * from[j * time + i];
      }
    });
  }
};

template <class T>
Tensor make_bias(const Tensor& q, const Tensor& k, const Tensor& distance_queries,
                 const Tensor& distance_keys, const Distances& distances) {
  const autograd::NoGrad no_grad;
  Tensor bias({distances.batch, distances.heads, distances.time, distances.time}, wide_of(q.dtype()));
  for (int64_t h = 0; h < distances.heads; ++h) {
    distances.spread<T>(ops::linear(head_of<T>(q, h), head_of<T>(distance_keys, h)),
                        ops::linear(head_of<T>(k, h), head_of<T>(distance_queries, h)), h, bias);
  }
  return bias;
}

// Of inputs q, k, distance_queries and distance_keys.
template <class T>
std::vector<Tensor> gradients(const std::vector<Tensor>& inputs, const Tensor& d_bias,
                              const Distances& distances) {
  const autograd::NoGrad no_grad;
  const DType wide = d_bias.dtype();
  std::vector<Tensor> result;
  result.reserve(inputs.size());
  for (const Tensor& input : inputs) result.emplace_back(input.shape(), wide);
  const Shape shape{distances.batch * distances.time, distances.rows};
  for (int64_t h = 0; h < distances.heads; ++h) {
    const Tensor content = Tensor::zeros(shape, wide), place = Tensor::zeros(shape, wide);
    distances.gather<T>(d_bias, h, content, place);
    set_head<T>(product(content, head_of<T>(inputs[3], h)), h, result[0]);
    set_head<T>(product(place, head_of<T>(inputs[2], h)), h, result[1]);
    set_head<T>(product(ops::transpose(place), head_of<T>(inputs[1], h)), h, result[2]);
    set_head<T>(product(ops::transpose(content), head_of<T>(inputs[0], h)), h, result[3]);
  }
  return result;
}

}  // namespace

int64_t distance_row(int64_t distance, const DisentangledSpec& spec) {
  const int64_t middle = spec.buckets / 2, size = std::abs(distance);
  int64_t bucket = distance;
  if (size > middle) {
    // In float, as the models were trained: distances at the border of two buckets depend on it.
    const auto half = static_cast<float>(middle);
    const auto last =
        static_cast<float>(static_cast<double>(spec.max_distance - 1) / static_cast<double>(middle));
    const float steps = std::log(static_cast<float>(size) / half) / std::log(last) * (half - 1.0f);
    bucket = static_cast<int64_t>(std::ceil(steps)) + middle;
    if (distance < 0) bucket = -bucket;
  }
  return std::clamp<int64_t>(bucket + spec.buckets, 0, 2 * spec.buckets - 1);
}

Tensor disentangled_bias(const Tensor& q, const Tensor& k, const Tensor& distance_queries,
                         const Tensor& distance_keys, const DisentangledSpec& spec, double scale) {
  const Distances distances(q, spec, scale);
  const bool doubles = wide_of(q.dtype()) == DType::f64;
  Tensor bias = doubles ? make_bias<double>(q, k, distance_queries, distance_keys, distances)
                        : make_bias<float>(q, k, distance_queries, distance_keys, distances);
  if (!autograd::recording({&q, &k, &distance_queries, &distance_keys})) return bias;
  // Saved for backward: the inputs.
  const std::vector<Tensor> saved{q.detached(), k.detached(), distance_queries.detached(),
                                  distance_keys.detached()};
  autograd::record(bias, "disentangled_bias", {q, k, distance_queries, distance_keys},
                   [=](const Tensor& dy, autograd::BackwardContext& inputs) {
                     const std::vector<Tensor> all = doubles ? gradients<double>(saved, dy, distances)
                                                             : gradients<float>(saved, dy, distances);
                     for (size_t i = 0; i < all.size(); ++i)
                       if (inputs.needs(i)) inputs.give(i, all[i].to(inputs.buffer_dtype(i)));
                   });
  return bias;
}

}  // namespace quern::nn
