// Rotary position embedding (Su et al. 2021, RoFormer, arXiv 2104.09864) and the ways to stretch it past the
// trained context. Formulas agree with Hugging Face transformers' modeling_rope_utils.
#pragma once

#include <optional>
#include <vector>

#include "tensor/tensor.h"

namespace quern::ops {

// linear: positions divided by `factor` (Chen et al. 2023, arXiv 2306.15595). ntk: a theta that grows with a text
// longer than original_positions ("dynamic"). yarn: arXiv 2309.00071. llama3: low frequencies divided by `factor`,
// high ones kept, a ramp between. longrope: each frequency divided by a number of its own, of one list up to
// original_positions tokens and of another past them (Ding et al. 2024, arXiv 2402.13753).
enum class RopeScaling : uint8_t { none, linear, ntk, yarn, llama3, longrope };

struct RopeConfig {
  double theta = 10000.0;
  int64_t rotary = 0;         // channels of a head that rotate; even
  int64_t max_positions = 0;  // context of the model
  bool half_split = true;     // pairs (i, i + rotary/2); false: pairs (2i, 2i + 1)

  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  int64_t original_positions = 0;  // context of the unscaled model: ntk, yarn, llama3, longrope
  // yarn
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  bool truncate = true;  // ramp limits at whole channels
  // yarn and longrope: scales cos and sin; by default it follows from `factor` (and yarn's two mscales)
  std::optional<double> attention_factor = {};
  std::optional<double> mscale = {};
  std::optional<double> mscale_all_dim = {};
  // llama3
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  // longrope: a divisor for each pair in texts of at most original_positions tokens, and in longer ones
  std::vector<double> short_factors = {};
  std::vector<double> long_factors = {};
};

// The length of the shortest text that turns as one of `length` tokens does: longrope has one boundary, ntk grows with
// each token past original_positions, and the others are the same for all.
int64_t rope_length(const RopeConfig& config, int64_t length);

// What the scaling divides the frequency of each pair by in a text of `length` tokens, [rotary/2]. Throws ShapeError on
// an impossible configuration.
std::vector<double> rope_divisors(const RopeConfig& config, int64_t length);

// cos and sin of a range of positions and every pair, f32 [rows, rotary/2], computed in double; the attention factor is
// in them. Immutable and cheap to copy.
class RopeTable {
 public:
  RopeTable() = default;
  // Of positions [begin, end) in a text of `length` tokens. Throws ShapeError on an impossible configuration.
  RopeTable(const RopeConfig& config, int64_t begin, int64_t end, int64_t length);
  // Of all positions in a text that fills the context.
  explicit RopeTable(const RopeConfig& config)
      : RopeTable(config, 0, config.max_positions, config.max_positions) {}

  const RopeConfig& config() const { return config_; }
  int64_t begin() const { return begin_; }
  int64_t end() const { return begin_ + (cos_.defined() ? cos_.dim(0) : 0); }
  // rope_length() of the text.
  int64_t length() const { return length_; }
  const Tensor& cos() const { return cos_; }
  const Tensor& sin() const { return sin_; }

 private:
  RopeConfig config_;
  int64_t begin_ = 0;
  int64_t length_ = 1;
  Tensor cos_;
  Tensor sin_;
};

// y[B, T, H, D] = x rotated by positions i32 [B, T], each in [begin, end) of the table; channels from `rotary` on pass
// unchanged. Throws ShapeError. Differentiable in x.
Tensor rope(const Tensor& x, const Tensor& positions, const RopeTable& table);
// x rotated the other way round. Not recorded.
Tensor rope_back(const Tensor& x, const Tensor& positions, const RopeTable& table);

}  // namespace quern::ops
