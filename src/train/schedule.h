// Learning-rate schedules and curricula: pure functions of the step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace quern::train {

enum class Decay : uint8_t { cosine, linear, constant, wsd };

// Linear warm-up from 0 over `warmup` steps, then `decay` down to lr * min_ratio at step `total`.
// wsd (warm-up, stable, decay; Hu et al. 2024, arXiv 2404.06395) stays at lr until the last `decay_fraction`
// of the steps, then falls as 1 - sqrt(x) (Hägele et al. 2024, arXiv 2405.18392).
struct Schedule {
  Decay decay = Decay::cosine;
  double lr = 1e-3;
  double min_ratio = 0.1;
  int64_t warmup = 0;
  int64_t total = 1;
  double decay_fraction = 0.2;

  // The rate of step `step` in [0, total). The first step of a warm-up is lr / warmup, never 0.
  double at(int64_t step) const;
};

// A value that grows by steps: "64" or "32@0,64@500,128@2000" (value@first step). Used for batch size and
// sequence length.
class StepValue {
 public:
  StepValue() = default;
  explicit StepValue(int64_t value) : pieces_{{0, value}} {}
  // invalid_argument unless steps increase from 0 and every value is positive. `key` names the field in
  // messages.
  static Result<StepValue> parse(const std::string& key, const std::string& text);

  int64_t at(int64_t step) const;
  int64_t max() const;
  std::string to_string() const;

 private:
  struct Piece {
    int64_t first_step;
    int64_t value;
  };
  std::vector<Piece> pieces_;
};

}  // namespace quern::train
