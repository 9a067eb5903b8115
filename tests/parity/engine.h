// The engine behind the few calls that parity tests compare: loss, gradients by published name, AdamW.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "autograd/graph.h"
#include "model/family.h"
#include "model/load.h"
#include "model/tensor_layout.h"
#include "train/adamw.h"

namespace quern::parity {

// The mean cross-entropy of a batch [B, T].
inline Tensor mean_loss(const model::Decoder& model, const std::vector<int>& tokens,
                        const std::vector<int>& targets, int64_t B, int64_t T) {
  const Tensor states = model.hidden(Tensor::from(tokens, {B, T}), nn::ForwardContext::causal(B, T));
  const Tensor weights = Tensor::full({B, T}, 1.0 / static_cast<double>(B * T));
  return model.loss(states, Tensor::from(targets, {B, T}), weights);
}

// Every tensor of the checkpoint of `model`, made by `part` of the parameters it holds (their values, their
// gradients), in the layout of the file.
inline void visit_published(
    model::Decoder& model, const std::function<Tensor(nn::Parameter&)>& part,
    const std::function<void(const std::string& name, const std::vector<float>& values)>& visit) {
  std::map<std::string, Tensor> parts;
  model.visit([&](const std::string& name, nn::Parameter& parameter) { parts[name] = part(parameter); });
  for (const model::TensorName& name :
       model::find_family(model.config().family).value()->tensors(model.config())) {
    std::vector<Tensor> joined;
    for (const std::string& parameter : name.parameters) joined.push_back(parts.at(parameter));
    const Tensor whole = model::join(name, joined);
    const auto values = whole.span<float>();
    visit(name.file, {values.begin(), values.end()});
  }
}
inline Tensor value_of(nn::Parameter& parameter) { return parameter.master().detached(); }
inline Tensor gradient_of(nn::Parameter& parameter) { return parameter.grad(); }

}  // namespace quern::parity
