#include "ops/binary.h"

#include <algorithm>

#include "ops/op_support.h"

namespace quern::ops {

namespace {

using backend::Binary;

bool is_tail(const Shape& tail, const Shape& shape) {
  return tail.rank() <= shape.rank() &&
         std::ranges::equal(tail.extents(), shape.extents().last(static_cast<size_t>(tail.rank())));
}

Tensor combine(Binary kind, const Tensor& a, const Tensor& b) {
  Tensor y(a.shape(), a.dtype());
  if (y.numel() == 0) return y;
  backend::run(&KernelTable::binary,
               backend::BinaryArgs{kind, a.numel(), b.numel(), a.raw(), b.raw(), y.raw(), a.dtype()});
  return y;
}

// The gradient of b from the gradient of its repeated form.
Tensor folded(const Tensor& gradient, const Shape& shape) {
  return gradient.shape() == shape ? gradient : sum_rows(gradient, shape);
}

Tensor apply(Binary kind, const char* name, const Tensor& a, const Tensor& b) {
  expect_float(name, "left operand", a);
  expect(b.defined() && b.dtype() == a.dtype() && is_tail(b.shape(), a.shape()), name,
         "a right operand of {} or its last dimensions, got {}", a, b);
  Tensor y = combine(kind, a, b);
  if (!autograd::recording({&a, &b})) return y;
  // Saved for backward: both operands of a product, only their shapes otherwise.
  const bool product = kind == Binary::mul;
  autograd::record(y, name, {a, b},
                   [kind, shape = b.shape(), a = product ? a.detached() : Tensor(),
                    b = product ? b.detached() : Tensor()](const Tensor& dy, BackwardContext& inputs) {
                     if (inputs.needs(0))
                       inputs.give(0, kind == Binary::mul ? combine(Binary::mul, dy, b) : dy);
                     if (!inputs.needs(1)) return;
                     Tensor db = kind == Binary::mul ? combine(Binary::mul, dy, a) : dy;
                     if (kind == Binary::sub) {
                       db = Tensor(dy.shape(), dy.dtype());
                       axpby(-1.0, dy, 0.0, db);
                     }
                     inputs.give(1, folded(db, shape));
                   });
  return y;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) { return apply(Binary::add, "add", a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return apply(Binary::sub, "sub", a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return apply(Binary::mul, "mul", a, b); }

}  // namespace quern::ops
