// Rotary position embedding (Su et al. 2021, RoFormer, arXiv 2104.09864) and the ways to stretch it past the
// trained context. Formulas agree with Hugging Face transformers' modeling_rope_utils.
#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace quern::ops {

// linear: positions divided by `factor` (Chen et al. 2023, arXiv 2306.15595). ntk: a larger theta, as dynamic
// NTK chooses it for a text of `max_positions` tokens. yarn: arXiv 2309.00071. llama3: low frequencies
// divided by `factor`, high ones kept, a ramp between.
enum class RopeScaling : uint8_t { none, linear, ntk, yarn, llama3 };

struct RopeConfig {
  double theta = 10000.0;
  int64_t rotary = 0;         // channels of a head that rotate; even
  int64_t max_positions = 0;  // rows of the table
  bool half_split = true;     // pairs (i, i + rotary/2); false: pairs (2i, 2i + 1)

  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  int64_t original_positions = 0;  // context of the unscaled model: ntk, yarn, llama3
  // yarn
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  bool truncate = true;  // ramp limits at whole channels
  std::optional<double> attention_factor =
      {};  // scales cos and sin; default from `factor` and the two mscales
  std::optional<double> mscale = {};
  std::optional<double> mscale_all_dim = {};
  // llama3
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
};

// cos and sin of every position and pair, f32 [max_positions, rotary/2], computed in double; yarn's attention
// factor is in them. Immutable and cheap to copy.
class RopeTable {
 public:
  RopeTable() = default;
  // Throws ShapeError on an impossible configuration.
  explicit RopeTable(const RopeConfig& config);

  const RopeConfig& config() const { return config_; }
  const Tensor& cos() const { return cos_; }
  const Tensor& sin() const { return sin_; }

 private:
  RopeConfig config_;
  Tensor cos_;
  Tensor sin_;
};

// y[B, T, H, D] = x rotated by positions i32 [B, T], each in [0, table rows); channels from `rotary` on pass
// unchanged. Throws ShapeError. Differentiable in x.
Tensor rope(const Tensor& x, const Tensor& positions, const RopeTable& table);

}  // namespace quern::ops
