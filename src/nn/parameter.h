// A learned tensor: its shape and first value, the master copy that optimisers and files see, and the 16-bit
// copy that ops may use instead.
#pragma once

#include "tensor/tensor.h"

namespace quern::nn {

// How a parameter starts: every element `mean` when std is 0, else normal(mean, std).
struct Init {
  double mean = 0.0;
  double std = 0.0;
};

// Undefined until initialise() or a loader assigns it, so that a model to be loaded never allocates twice.
class Parameter {
 public:
  // A matrix takes weight decay and may have a 16-bit copy; vectors (norm weights, biases) have neither.
  Parameter(Shape shape, Init init) : shape_(shape), init_(init) {}

  const Shape& shape() const { return shape_; }
  const Init& init() const { return init_; }
  bool is_matrix() const { return shape_.rank() > 1; }

  // What the optimiser updates and files store: f32 when it trains (f64 in gradient checks); a frozen matrix
  // may be of any float or block-quantised dtype and lie in a mapped file.
  const Tensor& master() const { return master_; }
  // What ops compute with: the 16-bit copy where there is one, which shares the master's gradient.
  const Tensor& value() const { return shadow_.defined() ? shadow_ : master_; }
  const Tensor& shadow() const { return shadow_; }
  // The copy that products read fastest (ops::pack_strips); undefined before pack() and where there is none.
  const Tensor& strips() const { return strips_; }
  bool trainable() const { return trainable_; }
  // What the optimiser's learning rate is multiplied by for this parameter (LoRA+, arXiv 2402.12354).
  double learning_rate_factor() const { return learning_rate_factor_; }
  void set_learning_rate_factor(double factor) { learning_rate_factor_ = factor; }
  // The accumulated gradient; undefined before the first backward and for a frozen parameter.
  Tensor grad() const;

  // Takes `value` as the master, without a copy. Drops shadow and strips. Throws ShapeError on another shape or
  // dtype.
  void assign(Tensor value);
  // A trainable parameter is a leaf of the tape. Precondition: assigned.
  void set_trainable(bool trainable);
  // The dtype ops compute with. A trainable matrix gets a shadow when `dtype` is narrower than its master; a
  // frozen one is narrowed itself, never widened. Vectors and block-quantised matrices stay as they are.
  void set_compute_dtype(DType dtype);
  // Copies the master into the shadow, after the optimiser changed it; nothing without a shadow.
  void refresh_shadow();
  // Makes the strips of a block-quantised matrix; nothing for another.
  void pack();

 private:
  Shape shape_;
  Init init_;
  Tensor master_;
  Tensor shadow_;
  Tensor strips_;
  bool trainable_ = false;
  double learning_rate_factor_ = 1.0;
};

}  // namespace quern::nn
