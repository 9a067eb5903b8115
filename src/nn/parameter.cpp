#include "nn/parameter.h"

#include "autograd/graph.h"
#include "base/exception.h"

namespace quern::nn {

Tensor Parameter::grad() const { return trainable_ ? autograd::grad(master_) : Tensor(); }

void Parameter::assign(Tensor value) {
  if (value.shape() != shape_ || !is_float(value.dtype())) {
    throw ShapeError("[parameter] expected a floating " + shape_.to_string() + ", got " + value.describe());
  }
  master_ = value.detached();
  shadow_ = Tensor();
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
  if (!is_matrix() || size_of(dtype) >= size_of(master_.dtype())) return;
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

}  // namespace quern::nn
