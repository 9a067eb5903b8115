// The tape: each op records its backward beside its forward; backward() walks the records from newest to
// oldest.
//
// A tensor takes part when it is a leaf (require_grad) or came out of a recorded op. Gradients have the dtype
// of the tensor, except at leaves, whose gradients are wide (f32, or f64 for f64): a bf16 weight collects its
// gradient in f32. One graph belongs to one thread.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace quern::autograd {

class BackwardContext;
// Receives the gradient of the op's output and hands gradients to its inputs.
using BackwardFn = std::function<void(const Tensor& dy, BackwardContext& inputs)>;

// Makes `tensor` a leaf whose gradient backward() accumulates. Returns it for chaining.
Tensor& require_grad(Tensor& tensor);
// Makes `shadow` (a 16-bit copy of `master`) accumulate into the gradient of `master`, which must be a leaf.
void share_grad(Tensor& shadow, const Tensor& master);
bool requires_grad(const Tensor& tensor);
// The accumulated gradient of a leaf; undefined before the first backward.
Tensor grad(const Tensor& leaf);
void set_grad(const Tensor& leaf, Tensor value);
// Forgets the gradient, keeping nothing: the next backward starts afresh.
void clear_grad(const Tensor& leaf);

// Whether ops record. On by default; off inside NoGrad (evaluation, generation, the first pass of
// checkpointing).
bool grad_enabled();
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

// True when a call with these inputs must be recorded: an op asks before it saves anything for backward.
bool recording(std::initializer_list<const Tensor*> inputs);
// Hangs a record on `output`. `name` is for messages and must be a literal. Undefined inputs are allowed and
// skipped. The record keeps no elements of its inputs: what `backward` reads is what it captures.
void record(Tensor& output, const char* name, const std::vector<Tensor>& inputs, BackwardFn backward);

// What a backward function sees of its op's inputs.
class BackwardContext {
 public:
  // Whether input i wants a gradient; a backward skips the work of those that do not.
  bool needs(size_t i) const;
  // The dtype in which the gradient of input i is summed: its own, or wide for a leaf.
  DType buffer_dtype(size_t i) const;
  // Adds `gradient` (shape of the input; its dtype, or wide for a leaf). Takes it without a copy when it is
  // the first.
  void give(size_t i, Tensor gradient);
  // The gradient of input i as a buffer to add into; zero-filled when it is the first. For kernels that
  // accumulate. Good until the gradient of the same tensor is asked for again.
  Tensor buffer(size_t i);
  // The gradient of input i and whether it already holds a sum (then accumulate), without zero-filling it
  // otherwise.
  Tensor buffer(size_t i, bool& holds_sum);

 private:
  friend class Walk;
  explicit BackwardContext(std::span<const std::shared_ptr<GradMeta>> inputs) : inputs_(inputs) {}
  std::span<const std::shared_ptr<GradMeta>> inputs_;
};

// Walks the graph from `root` with d(root) = `seed` (ones of root's shape when undefined) and releases it on
// the way: saved tensors go as soon as their record has run. Walking a record twice throws InternalError: add
// losses that share a part of the graph before the call.
void backward(const Tensor& root, Tensor seed = {});

// Runs `body(inputs)` without recording and stores only its inputs; backward runs it again with recording
// (Chen et al. 2016, arXiv 1604.06174). `body` must be a pure function of its inputs and of leaves it
// captures: randomness must come from counters. Leaves that `body` captures receive their gradients as usual.
// Both passes run with checkpointing() true.
Tensor checkpoint(const std::function<Tensor(std::span<const Tensor>)>& body, std::vector<Tensor> inputs);

// Whether this thread is inside the body of checkpoint(): an op that would choose another kernel when nothing is
// recorded must not, or the two passes would differ.
bool checkpointing();

}  // namespace quern::autograd
