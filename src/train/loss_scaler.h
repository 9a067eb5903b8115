// Dynamic loss scaling for f16 training (Micikevicius et al. 2018, arXiv 1710.03740): gradients are
// multiplied by a power of two before backward so that small ones survive, and a step whose gradients
// overflow is skipped.
#pragma once

#include <cstdint>

namespace quern::train {

struct LossScaler {
  bool enabled = false;  // f32 and bf16 need none: the scale stays 1
  double scale = 1.0;
  int64_t good_steps = 0;  // since the last change

  static constexpr int64_t kGrowthInterval = 1000;
  static constexpr double kMax = 0x1p24;

  static LossScaler dynamic() { return {.enabled = true, .scale = 0x1p16}; }

  // A step went well: after kGrowthInterval of them the scale doubles.
  void grow() {
    if (!enabled || ++good_steps < kGrowthInterval || scale >= kMax) return;
    scale *= 2.0;
    good_steps = 0;
  }
  // A step overflowed: halves the scale. False when it cannot fall further, so that the run has diverged.
  bool back_off() {
    good_steps = 0;
    scale *= 0.5;
    return enabled && scale >= 1.0;
  }
};

}  // namespace quern::train
