#include "data/synth/sums.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace quern::data::synth {

namespace {

std::string equation(uint64_t a, uint64_t b) { return fmt::format("{} + {} = {}", a, b, a + b); }

}  // namespace

Sum draw_sum(Side side, Rng& rng) {
  for (;;) {
    const Sum sum{10 + rng.below(90), 10 + rng.below(90)};
    const std::string key = equation(sum.a, sum.b);
    const bool held = XXH3_64bits(key.data(), key.size()) % 10 == 0;
    if (held == (side == Side::held_out)) return sum;
  }
}

std::string ask_sum(const Sum& sum, Rng& rng) {
  switch (rng.below(3)) {
    case 0:
      return fmt::format("What is {} + {}?", sum.a, sum.b);
    case 1:
      return fmt::format("How much is {} + {}?", sum.a, sum.b);
    default:
      return fmt::format("Add {} and {}.", sum.a, sum.b);
  }
}

std::string answer_at_once(const Sum& sum) { return fmt::format("{}.", sum.value()); }

std::string answer_in_steps(const Sum& sum) {
  const uint64_t ones_a = sum.a % 10, ones_b = sum.b % 10, tens = sum.value() - ones_a - ones_b;
  return fmt::format("{}, {}, {}.", equation(ones_a, ones_b), equation(sum.a - ones_a, sum.b - ones_b),
                     equation(tens, ones_a + ones_b));
}

std::string small_equations(Rng& rng) {
  std::string text;
  for (int i = 0; i < 16; ++i) {
    if (i > 0) text += ' ';
    switch (rng.below(3)) {
      case 0:
        text += equation(rng.below(10), rng.below(10));
        break;
      case 1:
        text += equation(10 * (1 + rng.below(9)), 10 * (1 + rng.below(9)));
        break;
      default:
        text += equation(10 * (2 + rng.below(17)), rng.below(19));
        break;
    }
    text += '.';
  }
  return text;
}

}  // namespace quern::data::synth
