// The position-wise half of a block as a mixture of experts.
#pragma once

#include <optional>
#include <vector>

#include "nn/mlp.h"

namespace quern::nn {

struct MoeSpec {
  MlpSpec expert;
  int64_t experts = 0;
  int64_t chosen = 0;       // experts that compute a token
  bool renormalise = true;  // weights of the chosen add up to 1 (Mixtral), else they are shares of all (Qwen)
  int64_t shared_intermediate = 0;  // of one more expert, for every token and weighted by a sigmoid; 0: none
};

// y = the sum over the chosen experts e of w_e MLP_e(x), with w = softmax(router(x)) and the largest w chosen (Shazeer
// et al. 2017, arXiv 1701.06538; Jiang et al. 2024, Mixtral, arXiv 2401.04088). Each expert computes the rows that chose
// it, and no others. A row's experts and their order depend on the row alone.
class MixtureOfExperts final : public Module {
 public:
  explicit MixtureOfExperts(const MoeSpec& spec);

  // x [B, T, C] -> [B, T, C]
  Tensor forward(const Tensor& x, const ForwardContext& context) const;
  void visit(const Visitor& visitor, const std::string& prefix = {}) override;

 private:
  MoeSpec spec_;
  Linear router_;
  std::vector<Mlp> experts_;
  std::optional<Mlp> shared_;
  std::optional<Linear> shared_gate_;
};

}  // namespace quern::nn
