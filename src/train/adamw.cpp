#include "train/adamw.h"

#include <cmath>

#include "autograd/graph.h"
#include "backend/api/backend.h"

namespace quern::train {

using backend::KernelTable;

AdamW::AdamW(nn::Module& model, AdamWOptions options) : options_(options) {
  model.visit([&](const std::string& name, nn::Parameter& parameter) {
    if (!parameter.trainable()) return;
    slots_.push_back({name, &parameter, Tensor::zeros(parameter.shape()), Tensor::zeros(parameter.shape())});
  });
}

double AdamW::grad_norm() const {
  double total = 0.0;
  for (const Slot& slot : slots_) {
    const Tensor grad = slot.parameter->grad();
    if (!grad.defined()) continue;
    double square = 0.0;
    backend::run(&KernelTable::sum, backend::SumArgs{grad.numel(), grad.raw(), true, &square, grad.dtype()});
    total += square;
  }
  return std::sqrt(total);
}

void AdamW::step(double lr, double grad_scale) {
  ++steps_;
  const double correction1 = 1.0 - std::pow(options_.beta1, static_cast<double>(steps_));
  const double correction2 = 1.0 - std::pow(options_.beta2, static_cast<double>(steps_));
  for (Slot& slot : slots_) {
    nn::Parameter& parameter = *slot.parameter;
    const Tensor grad = parameter.grad();
    if (!grad.defined()) continue;
    const Tensor& shadow = parameter.shadow();
    backend::run(&KernelTable::adamw,
                 backend::AdamWArgs{.count = grad.numel(),
                                    .w = parameter.master().data<float>(),
                                    .grad = grad.data<float>(),
                                    .m = slot.m.data<float>(),
                                    .v = slot.v.data<float>(),
                                    .lr = lr * parameter.learning_rate_factor(),
                                    .beta1 = options_.beta1,
                                    .beta2 = options_.beta2,
                                    .eps = options_.eps,
                                    .decay = parameter.is_matrix() ? options_.weight_decay : 0.0,
                                    .correction1 = correction1,
                                    .correction2 = correction2,
                                    .grad_scale = grad_scale,
                                    .shadow = shadow.raw(),
                                    .shadow_dtype = shadow.dtype()});
  }
  skip();
}

void AdamW::skip() {
  for (Slot& slot : slots_) autograd::clear_grad(slot.parameter->master());
}

void AdamW::visit_state(const std::function<void(const std::string&, const Tensor&)>& visitor) const {
  for (const Slot& slot : slots_) {
    visitor(slot.name + ".m", slot.m);
    visitor(slot.name + ".v", slot.v);
  }
}

int64_t AdamW::state_bytes() const {
  int64_t bytes = 0;
  visit_state([&](const std::string&, const Tensor& moment) { bytes += moment.bytes(); });
  return bytes;
}

}  // namespace quern::train
