// How a right answer may be put, and the judge who prefers one manner to the others.
#pragma once

#include <string>
#include <string_view>

#include "base/rng.h"
#include "data/synth/facts.h"

namespace quern::data::synth {

enum class Manner {
  whole,     // "The kite was red."
  curt,      // "Red."
  rambling,  // "Let me think about it. The kite was red. I hope that helps."
};

// The right answer in one of the ways that a manner knows. A question without a curt answer is answered in a whole sentence.
std::string put(const Question& question, Manner manner, Rng& rng);

// What an answer is worth: 1 where it is right in one whole sentence, 1/2 where it is right in another manner, 0 where it is
// anything else. Case, white space and a final period do not count (check_answer).
double worth(const Question& question, std::string_view answer);

// 1 where `a` is worth more than `b`, 0 where it is worth less, 1/2 where both are worth the same.
double preference(const Question& question, std::string_view a, std::string_view b);

}  // namespace quern::data::synth
