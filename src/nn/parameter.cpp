#include "nn/parameter.h"

#include "autograd/graph.h"
#include "base/exception.h"
#include "ops/linear.h"

namespace quern::nn {

Tensor Parameter::grad() const { return trainable_ ? autograd::grad(master_) : Tensor(); }

void Parameter::assign(Tensor value) {
  const bool numbers = is_float(value.dtype()) || (is_matrix() && is_block(value.dtype()));
  if (value.shape() != shape_ || !numbers) {
    throw ShapeError("[parameter] expected numbers of shape " + shape_.to_string() + ", got " +
                     value.describe());
  }
  master_ = value.detached();
  shadow_ = strips_ = Tensor();
  set_trainable(trainable_);
}

void Parameter::set_trainable(bool trainable) {
  trainable_ = trainable;
  master_ = master_.detached();
  shadow_ = shadow_.detached();
  if (!trainable) return;
  autograd::require_grad(master_);
  if (shadow_.defined()) autograd::share_grad(shadow_, master_);
}

void Parameter::set_compute_dtype(DType dtype) {
  shadow_ = Tensor();
  if (!is_matrix() || is_block(master_.dtype()) || size_of(dtype) >= size_of(master_.dtype())) return;
  if (!trainable_) {
    master_ = master_.to(dtype);
    return;
  }
  shadow_ = Tensor(shape_, dtype);
  refresh_shadow();
  autograd::share_grad(shadow_, master_);
}

void Parameter::refresh_shadow() {
  if (shadow_.defined()) shadow_.copy_from(master_);
}

void Parameter::pack() { strips_ = ops::pack_strips(master_); }

}  // namespace quern::nn
