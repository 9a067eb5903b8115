// Stories of the synthetic world with what can be asked about them.
#pragma once

#include <string>
#include <vector>

#include "data/synth/facts.h"

namespace quern::data::synth {

// Everything that can be asked about a story: each question has its answer in the text.
struct Story {
  std::string topic;  // completes "Tell me a story about"; empty where it has none
  std::string text;
  std::vector<Question> questions;  // without the text
};

// One of the plots.
Story plot_story(Side side, Rng& rng);
// `least` to three facts about each of two children, in any order, with sentences between that do not matter. The
// shortest teach soonest who did what.
Story fact_story(Side side, uint64_t least, Rng& rng);

}  // namespace quern::data::synth
