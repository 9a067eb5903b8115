#include "ops/linear.h"

#include <algorithm>

#include "ops/cast.h"
#include "ops/decoded_blocks.h"
#include "ops/op_support.h"
#include "tensor/strips.h"

namespace quern::ops {

namespace {

thread_local bool batch_invariant = false;

void forward_rows(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y) {
  if (y.numel() == 0) return;
  backend::run(&KernelTable::linear_rows,
               backend::LinearRowsArgs{x.dim(0), w.dim(0), w.dim(1), x.raw(), w.raw(), bias.raw(), y.raw(),
                                       x.dtype(), w.dtype()});
}

// dx = dy·w, dw += dy^T·x, dbias += sum of the rows of dy; x, dy are matrices. x: where w wants a gradient.
void backward(const Tensor& x, const Tensor& w, const Tensor& dy, BackwardContext& inputs) {
  if (inputs.needs(0)) {
    Tensor dx({dy.dim(0), w.dim(1)}, dy.dtype());
    matmul(dy, w, {}, dx);
    inputs.give(0, dx);
  }
  if (inputs.needs(1)) {
    bool holds_sum = false;
    const Tensor dw = inputs.buffer(1, holds_sum);
    matmul(dy, x, {.a = true}, dw, holds_sum);
  }
  if (inputs.needs(2)) {
    bool holds_sum = false;
    const Tensor dbias = inputs.buffer(2, holds_sum);
    backend::run(&KernelTable::sum_rows,
                 backend::SumRowsArgs{dy.dim(0), dy.dim(1), dy.raw(), dbias.raw(), holds_sum, dy.dtype()});
  }
}

void expect_map(const Tensor& x, const Tensor& w, const Tensor& bias) {
  expect_float("linear", "input", x);
  expect(w.defined() && (is_float(w.dtype()) || is_block(w.dtype())), "linear",
         "a floating or block-quantised weight, got {}", w);
  expect(x.shape().rank() >= 1 && w.shape().rank() == 2 && w.dim(1) == x.dim(-1) && w.dim(1) > 0, "linear",
         "input [..., K] and weight [N, K], got {} and {}", x, w);
  expect_optional("linear", "a bias", bias, {w.dim(0)}, wide_of(x.dtype()));
}

// Whether a map of x goes through the kernels for blocks. They have no gradient, and no f64.
bool multiplies_blocks(const Tensor& x, const LinearMap& map) {
  return is_block(map.weight.dtype()) && x.dtype() != DType::f64 && map.weight.dim(1) % kStripGroup == 0 &&
         !autograd::recording({&x, &map.bias}) && !autograd::checkpointing() && !DecodedBlocks::on();
}

bool multiply_blocks(const Tensor& x, std::span<const LinearMap> maps) {
  return std::ranges::all_of(maps, [&](const LinearMap& map) { return multiplies_blocks(x, map); });
}

// The products of as_matrix(x), to `y`, one per map or, gated, one in all.
void run_blocks(const Tensor& x, std::span<const LinearMap> maps, std::span<const Tensor> y, bool gated,
                Activation activation) {
  const Tensor rows = as_matrix(x);
  if (rows.dim(0) == 0) return;
  std::vector<backend::BlockProduct> parts;
  for (size_t i = 0; i < maps.size(); ++i) {
    const auto& [w, bias, strips] = maps[i];
    parts.push_back({w.dim(0), strips.defined() ? strips.raw() : w.raw(), w.dtype(), strips.defined(),
                     bias.raw(), i < y.size() ? y[i].raw() : nullptr, w.scales()});
  }
  backend::run(&KernelTable::linear_blocks,
               backend::LinearBlocksArgs{rows.dim(0), rows.dim(1), rows.raw(), x.dtype(), parts.data(),
                                         static_cast<int>(parts.size()), gated, activation});
}

}  // namespace

BatchInvariant::BatchInvariant() : previous_(batch_invariant) { batch_invariant = true; }
BatchInvariant::~BatchInvariant() { batch_invariant = previous_; }

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  expect_map(x, w, bias);
  const LinearMap map{w, bias, {}};
  if (is_block(w.dtype()) && multiplies_blocks(x, map)) return linear_group(x, std::span(&map, 1)).front();
  const bool recorded = autograd::recording({&x, &w, &bias});
  const Tensor rows = as_matrix(x);
  Tensor y(x.shape().with(-1, w.dim(0)), x.dtype());
  const Tensor decoded = is_block(w.dtype()) ? cast(w, x.dtype()) : w;
  if (!recorded && !autograd::checkpointing() && (batch_invariant || rows.dim(0) <= kInvariantRows)) {
    forward_rows(rows, decoded, bias, as_matrix(y));
  } else {
    matmul(rows, decoded, {.b = true}, as_matrix(y), false, bias);
  }
  if (!recorded) return y;
  // Saved for backward: w, and x where w learns; blocks are decoded again, so that no layer keeps them decoded.
  autograd::record(y, "linear", {x, w, bias},
                   [rows = autograd::requires_grad(w) ? rows.detached() : Tensor(), w = w.detached()](
                       const Tensor& dy, BackwardContext& inputs) {
                     backward(rows, is_block(w.dtype()) ? cast(w, dy.dtype()) : w, as_matrix(dy), inputs);
                   });
  return y;
}

std::vector<Tensor> linear_group(const Tensor& x, std::span<const LinearMap> maps) {
  std::vector<Tensor> y;
  for (const LinearMap& map : maps) expect_map(x, map.weight, map.bias);
  if (!multiply_blocks(x, maps)) {
    for (const LinearMap& map : maps) y.push_back(linear(x, map.weight, map.bias));
    return y;
  }
  for (const LinearMap& map : maps) y.emplace_back(x.shape().with(-1, map.weight.dim(0)), x.dtype());
  run_blocks(x, maps, y, false, Activation::identity);
  return y;
}

Tensor gated_linear(const Tensor& x, const LinearMap& gate, const LinearMap& up, Activation activation) {
  const LinearMap maps[] = {gate, up};
  for (const LinearMap& map : maps) expect_map(x, map.weight, map.bias);
  expect(gate.weight.shape() == up.weight.shape(), "gated_linear", "gate and up of one shape, got {} and {}",
         gate.weight, up.weight);
  if (!multiply_blocks(x, maps)) {
    const std::vector<Tensor> y = linear_group(x, maps);
    return gated(activation, y[0], y[1]);
  }
  Tensor y(x.shape().with(-1, gate.weight.dim(0)), x.dtype());
  run_blocks(x, maps, std::span<const Tensor>(&y, 1), true, activation);
  return y;
}

Tensor pack_strips(const Tensor& w) {
  if (!has_strips(w.dtype(), w.dim(-1)) || backend::active_table().pack_strips == nullptr) return {};
  const int64_t rows = w.shape().rows(), bytes = StripLayout{strip_format(w.dtype()), w.dim(-1)}.bytes();
  Tensor strips({strip_count(rows), bytes}, DType::u8);
  backend::run(&KernelTable::pack_strips,
               backend::PackStripsArgs{rows, w.dim(-1), w.raw(), w.dtype(), strips.raw(), w.scales()});
  return strips;
}

}  // namespace quern::ops
