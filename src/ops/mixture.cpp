#include "ops/mixture.h"

#include <vector>

#include "base/threads.h"
#include "ops/op_support.h"

namespace quern::ops {

namespace {

constexpr int64_t kMixtureGrain = int64_t{1} << 14;  // below it a thread costs more than it brings

// For each row and choice the row of the part, [R * k].
std::vector<int64_t> places_of(std::span<const Tensor> parts, const Tensor& choice) {
  std::vector<int64_t> next(parts.size(), 0), places;
  for (const int32_t part : choice.span<int32_t>()) places.push_back(next[static_cast<size_t>(part)]++);
  for (size_t p = 0; p < parts.size(); ++p) {
    const int64_t rows = parts[p].defined() ? parts[p].dim(0) : 0;
    expect(rows == next[p], "mixture", "{} rows of part {}, got {}", next[p], p, rows);
  }
  return places;
}

void check(std::span<const Tensor> parts, const Tensor& choice, const Tensor& weights) {
  constexpr const char* kOp = "mixture";
  expect_float(kOp, "weights", weights);
  expect(choice.defined() && choice.dtype() == DType::i32 && choice.shape().rank() == 2 && choice.numel() > 0,
         kOp, "choices i32 [R, k], got {}", choice);
  expect_like(kOp, "weights", weights, {choice.dim(0), static_cast<int64_t>(parts.size())},
              wide_of(weights.dtype()));
  expect_range(kOp, "choices", choice, 0, static_cast<int64_t>(parts.size()));
  int64_t channels = -1;
  for (const Tensor& part : parts) {
    if (!part.defined()) continue;
    const bool fits = part.shape().rank() == 2 && (channels < 0 || part.dim(1) == channels);
    expect(fits && part.dtype() == weights.dtype(), kOp,
           "parts [n, C] of the dtype of the weights, got {} and {}", part, weights);
    channels = part.dim(1);
  }
}

// Calls visit(r, p, place) for every row and choice of it, rows in parallel.
template <class Visit>
void for_each_choice(const Tensor& choice, const std::vector<int64_t>& places, int64_t channels,
                     const Visit& visit) {
  const int64_t chosen = choice.dim(1);
  const int32_t* parts = choice.data<int32_t>();
  parallel_for(choice.dim(0), kMixtureGrain / (chosen * channels), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * chosen; i < end * chosen; ++i)
      visit(i / chosen, parts[i], places[static_cast<size_t>(i)]);
  });
}

template <class T>
void forward(std::span<const Tensor> parts, const Tensor& choice, const std::vector<int64_t>& places,
             const Tensor& weights, const Tensor& y) {
  const int64_t channels = y.dim(1);
  for_each_choice(choice, places, channels, [&](int64_t r, int32_t p, int64_t place) {
    const T weight = weights.data<T>()[r * weights.dim(1) + p];
    const T* from = parts[static_cast<size_t>(p)].data<T>() + place * channels;
    T* to = y.data<T>() + r * channels;
    for (int64_t c = 0; c < channels; ++c) to[c] += weight * from[c];
  });
}

template <class T>
void backward(std::span<const Tensor> parts, const Tensor& choice, const std::vector<int64_t>& places,
              const Tensor& weights, const Tensor& dy, std::span<const Tensor> dparts,
              const Tensor& dweights) {
  const int64_t channels = dy.dim(1);
  for_each_choice(choice, places, channels, [&](int64_t r, int32_t p, int64_t place) {
    const int64_t at = r * weights.dim(1) + p;
    const T weight = weights.data<T>()[at];
    const T* from = parts[static_cast<size_t>(p)].data<T>() + place * channels;
    const T* gradient = dy.data<T>() + r * channels;
    T* to = dparts[static_cast<size_t>(p)].data<T>() + place * channels;
    double dot = 0.0;
    for (int64_t c = 0; c < channels; ++c) {
      to[c] = weight * gradient[c];
      dot += static_cast<double>(from[c]) * static_cast<double>(gradient[c]);
    }
    dweights.data<T>()[at] = static_cast<T>(dot);
  });
}

}  // namespace

Tensor mixture(std::span<const Tensor> parts, const Tensor& choice, const Tensor& weights) {
  check(parts, choice, weights);
  const std::vector<int64_t> places = places_of(parts, choice);
  const int64_t channels = parts[static_cast<size_t>(choice.data<int32_t>()[0])].dim(1);
  const bool single = weights.dtype() == DType::f32;
  Tensor y = Tensor::zeros({choice.dim(0), channels}, weights.dtype());
  (single ? forward<float> : forward<double>)(parts, choice, places, weights, y);

  bool recorded = autograd::recording({&weights});
  for (const Tensor& part : parts) recorded = recorded || autograd::recording({&part});
  if (!recorded) return y;
  std::vector<Tensor> inputs(parts.begin(), parts.end());
  inputs.push_back(weights);
  // Saved for backward: parts, choice and weights.
  std::vector<Tensor> saved;
  for (const Tensor& part : parts) saved.push_back(part.defined() ? part.detached() : Tensor());
  autograd::record(
      y, "mixture", inputs, [=, weights = weights.detached()](const Tensor& dy, BackwardContext& gradients) {
        std::vector<Tensor> dparts;
        for (const Tensor& part : saved)
          dparts.push_back(part.defined() ? Tensor(part.shape(), part.dtype()) : Tensor());
        const Tensor dweights = Tensor::zeros(weights.shape(), weights.dtype());
        (single ? backward<float> : backward<double>)(saved, choice, places, weights, dy, dparts, dweights);
        for (size_t p = 0; p < dparts.size(); ++p) {
          if (dparts[p].defined() && gradients.needs(p)) gradients.give(p, dparts[p]);
        }
        if (gradients.needs(dparts.size())) gradients.give(dparts.size(), dweights);
      });
  return y;
}

}  // namespace quern::ops
