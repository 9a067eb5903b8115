// Module: anything that holds parameters and can walk them by name.
#pragma once

#include <functional>
#include <string>

#include "nn/parameter.h"

namespace quern::nn {

using Visitor = std::function<void(const std::string& name, Parameter& parameter)>;
using ConstVisitor = std::function<void(const std::string& name, const Parameter& parameter)>;

// Movable, never copied: a copy would share the weights.
class Module {
 public:
  Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;
  virtual ~Module() = default;
  // Visits every parameter in the order of the forward pass, the same on every call; a shared one once. Names
  // are the path of members joined by dots ("blocks.0.attention.q.weight"); `prefix` is put before each and
  // is empty or ends with a dot.
  virtual void visit(const Visitor& visitor, const std::string& prefix = {}) = 0;
};

// The same walk over parameters that stay as they are.
void visit(const Module& module, const ConstVisitor& visitor);

int64_t parameter_count(const Module& module);

// Gives every parameter its first value, in `dtype` (f32 to train; f64 for gradient checks), and makes it
// trainable. A value depends on (seed, name, index in the tensor) only: not on order, threads or the rest of
// the model.
void initialise(Module& module, uint64_t seed, DType dtype = DType::f32);
void set_trainable(Module& module, bool trainable);
// Sets the dtype that matrices compute in (see Parameter::set_compute_dtype).
void set_compute_dtype(Module& module, DType dtype);
// Copies masters into shadows: call after an optimiser step that did not write the shadows itself.
void refresh_shadows(Module& module);
void clear_grads(Module& module);

}  // namespace quern::nn
