// Bottleneck adapters: two narrow maps with an activation between them, behind attention and MLP (Houlsby et al. 2019, arXiv
// 1902.00751) or the MLP alone (Pfeiffer et al. 2020, arXiv 2005.00247).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/adapter.h"
#include "ops/activation.h"

namespace quern::nn {

struct BottleneckSpec {
  ops::Activation activation = ops::Activation::relu;
  double scale = 1.0;         // of what is added
  double dropout = 0.0;       // of that, while training
  bool reads_stream = false;  // what enters is the residual stream with the branch, not the branch alone
};

// The one behind a branch of a layer, under its path in the published model ("model.layers.0.output_adapters").
struct Bottleneck {
  int64_t layer;
  std::string name;
  Parameter down, down_bias;  // [width, C], [width]
  Parameter up, up_bias;      // [C, width], [C]
};

// y, what a branch made, becomes y + scale · (f(e · down^T + down_bias) · up^T + up_bias), where e is y, or y with the
// residual stream that it is about to join.
class BottleneckAdapter final : public Adapter {
 public:
  explicit BottleneckAdapter(const BottleneckSpec& spec) : spec_(spec) {}

  // `up` and the biases begin as 0: training starts from the model as it is.
  void add(int64_t layer, Branch branch, std::string name, int64_t channels, int64_t width);

  bool follows(int64_t layer, Branch branch) const override { return places_.contains({layer, branch}); }
  Tensor follow(int64_t layer, Branch branch, const Tensor& y, const Tensor& stream,
                const DropoutState& dropout) const override;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

  const BottleneckSpec& spec() const { return spec_; }
  std::vector<Bottleneck>& modules() { return modules_; }
  const std::vector<Bottleneck>& modules() const { return modules_; }

 private:
  BottleneckSpec spec_;
  std::vector<Bottleneck> modules_;
  std::map<std::pair<int64_t, Branch>, size_t> places_;
};

}  // namespace quern::nn
