#include "nn/moe.h"

#include <algorithm>
#include <cmath>

#include "ops/binary.h"
#include "ops/cast.h"
#include "ops/embedding.h"
#include "ops/mixture.h"
#include "ops/reshape.h"
#include "ops/softmax.h"

namespace quern::nn {

namespace {

// The `chosen` largest of each row of logits [R, E], the first of equals, as i32 [R, chosen] in ascending order.
template <class T>
Tensor largest(const Tensor& logits, int64_t chosen) {
  const int64_t experts = logits.dim(1);
  Tensor choice({logits.dim(0), chosen}, DType::i32);
  int32_t* to = choice.data<int32_t>();
  for (int64_t row = 0; row < logits.dim(0); ++row, to += chosen) {
    const T* at = logits.data<T>() + row * experts;
    for (int64_t i = 0; i < chosen; ++i) {
      int32_t best = -1;
      for (int32_t e = 0; e < experts; ++e) {
        const bool taken = std::find(to, to + i, e) != to + i;
        if (!taken && (best < 0 || at[e] > at[best])) best = e;
      }
      to[i] = best;
    }
    std::sort(to, to + chosen);
  }
  return choice;
}

// [R, E]: `on` where a row's choice has the expert, else `off`.
Tensor mask_of(const Tensor& choice, int64_t experts, DType dtype, double on, double off) {
  const Tensor mask = Tensor::full({choice.dim(0), experts}, off, dtype);
  const int32_t* from = choice.data<int32_t>();
  visit_float(dtype, [&]<class T>() {
    for (int64_t i = 0; i < choice.numel(); ++i) {
      mask.data<T>()[i / choice.dim(1) * experts + from[i]] = static_cast<T>(static_cast<float>(on));
    }
  });
  return mask;
}

// What `adapters` of all rows are of some of them, in ascending order.
std::vector<AdapterRows> adapters_of(std::span<const AdapterRows> adapters,
                                     const std::vector<int32_t>& rows) {
  std::vector<AdapterRows> chosen;
  for (const auto& [adapter, begin, end] : adapters) {
    const auto first = std::lower_bound(rows.begin(), rows.end(), begin);
    const auto last = std::lower_bound(first, rows.end(), end);
    if (first != last) chosen.push_back({adapter, first - rows.begin(), last - rows.begin()});
  }
  return chosen;
}

// The rows of each expert, in order.
std::vector<std::vector<int32_t>> rows_by_expert(const Tensor& choice, int64_t experts) {
  std::vector<std::vector<int32_t>> rows(static_cast<size_t>(experts));
  const auto ids = choice.span<int32_t>();
  for (size_t i = 0; i < ids.size(); ++i) {
    rows[static_cast<size_t>(ids[i])].push_back(
        static_cast<int32_t>(static_cast<int64_t>(i) / choice.dim(1)));
  }
  return rows;
}

}  // namespace

MixtureOfExperts::MixtureOfExperts(const MoeSpec& spec)
    : spec_(spec), router_(spec.expert.hidden, spec.experts, false, spec.expert.init_std) {
  experts_.reserve(static_cast<size_t>(spec.experts));
  for (int64_t e = 0; e < spec.experts; ++e) experts_.emplace_back(spec.expert);
  if (spec.shared_intermediate == 0) return;
  MlpSpec shared = spec.expert;
  shared.intermediate = spec.shared_intermediate;
  shared_.emplace(shared);
  shared_gate_.emplace(shared.hidden, 1, false, shared.init_std);
}

Tensor MixtureOfExperts::forward(const Tensor& x, const ForwardContext& context) const {
  const Tensor rows = ops::reshape(x, {x.shape().rows(), x.dim(-1)});
  const DType wide = wide_of(x.dtype());
  const Tensor logits = ops::cast(router_.forward(rows, context), wide);
  const Tensor choice =
      wide == DType::f32 ? largest<float>(logits, spec_.chosen) : largest<double>(logits, spec_.chosen);
  // The softmax over the chosen is that over all, divided by their sum.
  const Tensor weights =
      spec_.renormalise ? ops::softmax(ops::add(logits, mask_of(choice, spec_.experts, wide, 0.0, -INFINITY)))
                        : ops::mul(ops::softmax(logits), mask_of(choice, spec_.experts, wide, 1.0, 0.0));

  const auto chosen_rows = rows_by_expert(choice, spec_.experts);
  std::vector<Tensor> parts(experts_.size());
  for (size_t e = 0; e < parts.size(); ++e) {
    if (chosen_rows[e].empty()) continue;
    const Tensor ids = Tensor::from(chosen_rows[e], {static_cast<int64_t>(chosen_rows[e].size())});
    const std::vector<AdapterRows> adapters = adapters_of(context.adapters, chosen_rows[e]);
    ForwardContext own = context;
    own.adapters = adapters;
    parts[e] = ops::cast(experts_[e].forward(ops::embedding(ids, rows, x.dtype()), own), wide);
  }
  Tensor y = ops::mixture(parts, choice, weights);
  if (shared_) {
    const Tensor every = Tensor::zeros({rows.dim(0), 1}, DType::i32);
    const Tensor part = ops::cast(shared_->forward(rows, context), wide);
    const Tensor gate =
        ops::activation(ops::Activation::sigmoid, ops::cast(shared_gate_->forward(rows, context), wide));
    y = ops::add(y, ops::mixture(std::span(&part, 1), every, gate));
  }
  return ops::reshape(ops::cast(y, x.dtype()), x.shape());
}

void MixtureOfExperts::visit(const Visitor& visitor, const std::string& prefix) {
  router_.visit(visitor, prefix + "router.");
  for (size_t e = 0; e < experts_.size(); ++e) {
    experts_[e].visit(visitor, prefix + "experts." + std::to_string(e) + ".");
  }
  if (shared_) shared_->visit(visitor, prefix + "shared.");
  if (shared_gate_) shared_gate_->visit(visitor, prefix + "shared_gate.");
}

}  // namespace quern::nn
