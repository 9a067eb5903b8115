#include "support/op_rows/run_case.h"

#include "autograd/graph.h"

namespace quern::ops::rows {

CaseData data_of(const OpCase& op, DType dtype) {
  Rng rng(20, 0);
  CaseData data{op.inputs(rng, dtype), {}};
  const autograd::NoGrad no_grad;
  const Tensor y = op.run(data.inputs);
  data.dy = random(rng, y.shape(), y.dtype());
  return data;
}

CaseData converted(const CaseData& data, DType dtype) {
  CaseData result{{}, data.dy.to(dtype)};
  for (const Tensor& input : data.inputs) {
    result.inputs.push_back(is_float(input.dtype()) ? input.to(dtype) : input);
  }
  return result;
}

CaseResult run_case(const OpCase& op, const CaseData& data) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < data.inputs.size(); ++i) {
    inputs.push_back(data.inputs[i].detached());
    if (op.differentiable(i, inputs[i])) autograd::require_grad(inputs[i]);
  }
  CaseResult result{op.run(inputs), {}};
  autograd::backward(result.y, data.dy);
  for (const Tensor& input : inputs) {
    result.gradients.push_back(autograd::requires_grad(input) ? autograd::grad(input) : Tensor());
  }
  result.y = result.y.detached();
  return result;
}

}  // namespace quern::ops::rows
