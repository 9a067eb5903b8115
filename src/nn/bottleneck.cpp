#include "nn/bottleneck.h"

#include <cmath>

#include "nn/dropout.h"
#include "ops/binary.h"
#include "ops/linear.h"
#include "ops/scale.h"

namespace quern::nn {

namespace {
// Places of dropout begin where those of LoRA do: a pass has one or the other.
constexpr uint64_t kFirstBottleneckSite = 1 << 14;
}  // namespace

void BottleneckAdapter::add(int64_t layer, Branch branch, std::string name, int64_t channels, int64_t width) {
  // The variance of torch's uniform numbers for a linear map (Kaiming's with a = sqrt 5).
  const double std = 1.0 / std::sqrt(3.0 * static_cast<double>(channels));
  places_[{layer, branch}] = modules_.size();
  modules_.push_back({layer, std::move(name), Parameter(Shape{width, channels}, Init{0.0, std}),
                      Parameter(Shape{width}, Init{}), Parameter(Shape{channels, width}, Init{}),
                      Parameter(Shape{channels}, Init{})});
}

Tensor BottleneckAdapter::follow(int64_t layer, Branch branch, const Tensor& y, const Tensor& stream,
                                 const DropoutState& state) const {
  const auto place = places_.find({layer, branch});
  if (place == places_.end()) return y;
  const Bottleneck& module = modules_[place->second];
  const Tensor entering = spec_.reads_stream ? ops::add(y, stream) : y;
  const Tensor inner =
      ops::activation(spec_.activation, ops::linear(entering, module.down.value(), module.down_bias.value()));
  Tensor added = ops::linear(inner, module.up.value(), module.up_bias.value());
  if (spec_.scale != 1.0) added = ops::scale(added, spec_.scale);
  return ops::add(y, dropout(added, spec_.dropout, state, kFirstBottleneckSite + place->second));
}

void BottleneckAdapter::visit(const Visitor& visitor, const std::string& prefix) {
  for (Bottleneck& module : modules_) {
    visitor(prefix + module.name + ".adapter_down.0.weight", module.down);
    visitor(prefix + module.name + ".adapter_down.0.bias", module.down_bias);
    visitor(prefix + module.name + ".adapter_up.weight", module.up);
    visitor(prefix + module.name + ".adapter_up.bias", module.up_bias);
  }
}

}  // namespace quern::nn
