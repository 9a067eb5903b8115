#include "autograd/graph.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>

#include "autograd/training_kernels.h"
#include "backend/api/backend.h"
#include "base/exception.h"

namespace quern::autograd {

namespace {

thread_local bool enabled = true;
thread_local bool training_kernels = false;
thread_local uint64_t next_order = 1;

// What a record held, waiting to be destroyed.
struct Remains {
  std::vector<std::shared_ptr<GradMeta>> inputs;
  BackwardFn backward;
};
thread_local std::vector<Remains>* burying = nullptr;

// What hangs on a tensor that takes part: a leaf (order 0) or the record of the op that made it.
struct Meta final : GradMeta {
  Tensor grad;  // the sum so far; undefined before the first gradient
  Shape shape;
  DType grad_dtype = DType::f32;
  uint64_t order = 0;  // position on the tape
  const char* name = "leaf";
  std::vector<std::shared_ptr<GradMeta>> inputs;  // null where no gradient is wanted
  BackwardFn backward;
  bool released = false;

  Meta() = default;
  ~Meta() override { bury({std::move(inputs), std::move(backward)}); }

  bool is_leaf() const { return order == 0; }

 private:
  // Destroying a record may destroy the record before it, and so on down a tape of any length: a list in
  // place of the stack.
  static void bury(Remains remains) {
    if (burying != nullptr) {
      burying->push_back(std::move(remains));
      return;
    }
    std::vector<Remains> list;
    burying = &list;
    for (;;) {
      { const Remains last = std::move(remains); }
      if (list.empty()) break;
      remains = std::move(list.back());
      list.pop_back();
    }
    burying = nullptr;
  }
};

Meta* meta_of(const std::shared_ptr<GradMeta>& held) { return static_cast<Meta*>(held.get()); }
Meta* meta_of(const Tensor& tensor) { return meta_of(tensor.grad_meta()); }

Meta& leaf_of(const Tensor& tensor) {
  Meta* meta = meta_of(tensor);
  if (meta == nullptr || !meta->is_leaf())
    throw InternalError("[grad] expected a leaf, got " + tensor.describe());
  return *meta;
}

void make_leaf(Tensor& tensor, DType grad_dtype) {
  auto meta = std::make_shared<Meta>();
  meta->shape = tensor.shape();
  meta->grad_dtype = grad_dtype;
  tensor.set_grad_meta(std::move(meta));
}

// y = x + beta * y, converting dtypes.
void add_into(const Tensor& x, const Tensor& y, double beta) {
  backend::run(&backend::KernelTable::axpby,
               backend::AxpbyArgs{x.numel(), 1.0, beta, x.raw(), x.dtype(), y.raw(), y.dtype()});
}

void accumulate(Meta& meta, Tensor gradient) {
  if (gradient.numel() != meta.shape.numel()) {
    throw InternalError("[backward] a gradient of " + meta.shape.to_string() + " expected, got " +
                        gradient.describe());
  }
  gradient = gradient.reshaped(meta.shape);
  if (!meta.grad.defined()) {
    if (gradient.dtype() == meta.grad_dtype) {
      meta.grad = std::move(gradient);
    } else {
      meta.grad = Tensor(meta.shape, meta.grad_dtype);
      add_into(gradient, meta.grad, 0.0);
    }
    return;
  }
  // The sum may alias a gradient that another tensor still holds (an addition hands dy to both sides).
  if (!meta.grad.unique()) meta.grad = meta.grad.clone();
  add_into(gradient, meta.grad, 1.0);
}

}  // namespace

Tensor& require_grad(Tensor& tensor) {
  make_leaf(tensor, wide_of(tensor.dtype()));
  return tensor;
}

void share_grad(Tensor& shadow, const Tensor& master) {
  leaf_of(master);
  shadow.set_grad_meta(master.grad_meta());
}

bool requires_grad(const Tensor& tensor) { return tensor.grad_meta() != nullptr; }
Tensor grad(const Tensor& leaf) { return leaf_of(leaf).grad; }
void clear_grad(const Tensor& leaf) { leaf_of(leaf).grad = Tensor(); }

void set_grad(const Tensor& leaf, Tensor value) {
  Meta& meta = leaf_of(leaf);
  if (value.shape() != meta.shape || value.dtype() != meta.grad_dtype) {
    throw ShapeError("[set_grad] expected " + std::string(name_of(meta.grad_dtype)) + meta.shape.to_string() +
                     ", got " + value.describe());
  }
  meta.grad = std::move(value);
}

bool grad_enabled() { return enabled; }
GradMode::GradMode(bool on) : previous_(enabled) { enabled = on; }
GradMode::~GradMode() { enabled = previous_; }

bool recording(std::initializer_list<const Tensor*> inputs) {
  return enabled &&
         std::ranges::any_of(inputs, [](const Tensor* t) { return t != nullptr && requires_grad(*t); });
}

void record(Tensor& output, const char* name, const std::vector<Tensor>& inputs, BackwardFn backward) {
  auto meta = std::make_shared<Meta>();
  meta->shape = output.shape();
  meta->grad_dtype = output.dtype();
  meta->order = next_order++;
  meta->name = name;
  for (const Tensor& input : inputs) meta->inputs.push_back(input.grad_meta());
  meta->backward = std::move(backward);
  output.set_grad_meta(std::move(meta));
}

bool BackwardContext::needs(size_t i) const { return inputs_[i] != nullptr; }

DType BackwardContext::buffer_dtype(size_t i) const { return meta_of(inputs_[i])->grad_dtype; }

void BackwardContext::give(size_t i, Tensor gradient) {
  if (needs(i)) accumulate(*meta_of(inputs_[i]), std::move(gradient));
}

Tensor BackwardContext::buffer(size_t i, bool& holds_sum) {
  Meta& meta = *meta_of(inputs_[i]);
  holds_sum = meta.grad.defined();
  if (!holds_sum) {
    meta.grad = Tensor(meta.shape, meta.grad_dtype);
  } else if (!meta.grad.unique()) {
    meta.grad = meta.grad.clone();
  }
  return meta.grad;
}

Tensor BackwardContext::buffer(size_t i) {
  bool holds_sum = false;
  Tensor sum = buffer(i, holds_sum);
  if (!holds_sum) sum.zero();
  return sum;
}

// One walk over the records reachable from a root.
class Walk {
 public:
  static void run(const Tensor& root, Tensor seed) {
    Meta* top = meta_of(root);
    if (top == nullptr || top->is_leaf()) {
      throw InternalError("[backward] expected the output of a recorded op, got " + root.describe());
    }
    accumulate(*top, seed.defined() ? std::move(seed) : Tensor::full(root.shape(), 1.0, root.dtype()));
    for (const std::shared_ptr<GradMeta>& held : tape_of(root)) step(*static_cast<Meta*>(held.get()));
  }

 private:
  // Every record below `root`, newest first. Held by shared_ptr: releasing a record must not free the rest
  // early.
  static std::vector<std::shared_ptr<GradMeta>> tape_of(const Tensor& root) {
    std::vector<std::shared_ptr<GradMeta>> tape{root.grad_meta()};
    std::unordered_set<const GradMeta*> seen{tape.front().get()};
    for (size_t i = 0; i < tape.size(); ++i) {
      for (const std::shared_ptr<GradMeta>& input : static_cast<Meta*>(tape[i].get())->inputs) {
        if (input == nullptr || meta_of(input)->is_leaf() || !seen.insert(input.get()).second) continue;
        tape.push_back(input);
      }
    }
    std::ranges::sort(tape, std::ranges::greater{},
                      [](const auto& m) { return static_cast<Meta*>(m.get())->order; });
    return tape;
  }

  static void step(Meta& meta) {
    if (meta.released) {
      throw InternalError("[backward] expected a graph that was not walked before, got '" +
                          std::string(meta.name) + "' of an earlier backward");
    }
    const std::vector<std::shared_ptr<GradMeta>> inputs = std::move(meta.inputs);
    const BackwardFn backward = std::move(meta.backward);
    const Tensor dy = std::move(meta.grad);
    meta.inputs.clear();
    meta.grad = Tensor();
    meta.backward = nullptr;
    meta.released = true;
    if (!dy.defined() || backward == nullptr) return;
    BackwardContext context(inputs);
    backward(dy, context);
  }
};

void backward(const Tensor& root, Tensor seed) {
  const NoGrad no_grad;
  Walk::run(root, std::move(seed));
}

TrainingKernels::TrainingKernels() : previous_(training_kernels) { training_kernels = true; }
TrainingKernels::~TrainingKernels() { training_kernels = previous_; }

bool checkpointing() { return training_kernels; }

Tensor checkpoint(const std::function<Tensor(std::span<const Tensor>)>& body, std::vector<Tensor> inputs) {
  if (!enabled) return body(inputs);
  Tensor output;
  {
    const NoGrad no_grad;
    const TrainingKernels first_pass;
    output = body(inputs).detached();
  }
  record(output, "checkpoint", inputs, [body, inputs](const Tensor& dy, BackwardContext& context) {
    std::vector<Tensor> leaves;
    for (size_t i = 0; i < inputs.size(); ++i) {
      leaves.push_back(inputs[i].detached());
      if (context.needs(i)) make_leaf(leaves.back(), context.buffer_dtype(i));
    }
    const GradMode recompute(true);
    Tensor again;
    {
      const TrainingKernels second_pass;
      again = body(leaves);
    }
    if (!requires_grad(again)) return;
    backward(again, dy);
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (context.needs(i) && grad(leaves[i]).defined()) context.give(i, grad(leaves[i]));
    }
  });
  return output;
}

}  // namespace quern::autograd
