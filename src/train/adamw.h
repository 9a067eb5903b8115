// AdamW over the trainable parameters of a model (Loshchilov and Hutter 2019, arXiv 1711.05101).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "nn/module.h"

namespace quern::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;  // of matrices; norms and biases never decay
};

// Holds two f32 moments per parameter. The model must outlive it. Not thread-safe.
class AdamW {
 public:
  AdamW(nn::Module& model, AdamWOptions options);

  // L2 norm of all gradients together, summed in double in a fixed order; NaN or infinite when a gradient is.
  double grad_norm() const;
  // Updates masters and 16-bit copies with gradient * grad_scale, then forgets the gradients: at `lr` times the
  // parameter's own factor. A parameter without a gradient stays as it is.
  void step(double lr, double grad_scale);
  // Forgets the gradients without an update.
  void skip();

  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  // Visits the moments as "<parameter>.m" and "<parameter>.v", for checkpoints.
  void visit_state(const std::function<void(const std::string& name, const Tensor& moment)>& visitor) const;
  int64_t state_bytes() const;

 private:
  struct Slot {
    std::string name;
    nn::Parameter* parameter;
    Tensor m, v;
  };
  AdamWOptions options_;
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

}  // namespace quern::train
