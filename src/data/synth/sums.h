// Sums of two numbers with two digits: asked in digits, answered at once or with the steps between. Answering at once is hard
// for a small model, and the steps are easy.
#pragma once

#include <cstdint>
#include <string>

#include "base/rng.h"
#include "data/synth/facts.h"

namespace quern::data::synth {

struct Sum {
  uint64_t a = 10, b = 10;  // 10 to 99

  uint64_t value() const { return a + b; }
};

// Both numbers together decide the side: one pair in ten is held out.
Sum draw_sum(Side side, Rng& rng);
// "What is 23 + 48?" and other phrasings.
std::string ask_sum(const Sum& sum, Rng& rng);
// "71."
std::string answer_at_once(const Sum& sum);
// "3 + 8 = 11, 20 + 40 = 60, 60 + 11 = 71."
std::string answer_in_steps(const Sum& sum);

// Equations of the kinds that the steps are made of, and none of two numbers with two digits that end in other digits than 0.
std::string small_equations(Rng& rng);

}  // namespace quern::data::synth
