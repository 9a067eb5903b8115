// The op registry: one row per file of src/ops. A row's cases feed the gradient check (fp64 central
// differences) and the comparison of every kernel table with the reference; its benches feed the
// micro-benchmark.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tensor/tensor.h"

namespace quern::ops::rows {

struct OpCase {
  std::string name;
  // Fresh inputs for activations of `dtype`. Floating ones get gradients, unless listed in `frozen`.
  std::function<std::vector<Tensor>(Rng&, DType dtype)> inputs;
  std::function<Tensor(std::span<const Tensor> inputs)> run;
  std::vector<size_t> frozen = {};

  bool differentiable(size_t i, const Tensor& input) const {
    return is_float(input.dtype()) && std::ranges::find(frozen, i) == frozen.end();
  }
};

struct OpBench {
  OpCase op;
  double flops;           // of one forward; 0 where bytes are what counts
  double backward_flops;  // of one backward
};

struct OpRow {
  std::string name;  // stem of src/ops/<name>.cpp
  std::vector<OpCase> cases;
  std::vector<OpBench> benches;
};

// Every row; each lives in a file of its own, in the order of op_rows.cpp.
const std::vector<OpRow>& op_rows();
std::vector<std::string> op_names();
// Precondition: there is such a row.
const OpRow& op_row(std::string_view name);

// What a table may differ from the reference by, relative to the root mean square of the reference: on
// average (root mean square of the differences) and in any element. The one tolerance table of the kernels.
struct Tolerance {
  double average;
  double worst;
};
Tolerance tolerance_of(DType dtype);

// Standard normal values times `scale`.
Tensor random(Rng& rng, const Shape& shape, DType dtype, double scale = 1.0);
// The same at least 0.1 away from zero, for functions with a kink there.
Tensor random_off_zero(Rng& rng, const Shape& shape, DType dtype);
// Uniform i32 in [lowest, limit).
Tensor random_ints(Rng& rng, const Shape& shape, int32_t lowest, int32_t limit);

// What sums over values of `dtype` are kept in.
inline DType accumulated_in(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

}  // namespace quern::ops::rows
