// The documents of the synthetic corpus: plain stories, stories on request, conversations about a story, and
// small talk with facts and numbers; or plain texts alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/synth/facts.h"

namespace quern::data::synth {

// One document of the training corpus or of its held-out part: a pure function of its arguments. 60 to 250
// words.
std::string make_document(Side side, uint64_t seed, uint64_t index);

// The same of a corpus without conversations: stories and what can be said about them, what is always true, and small sums in
// digits. A model that read it has seen no question answered.
std::string make_plain_document(Side side, uint64_t seed, uint64_t index);

// A held-out question of a kind that `index` chooses; one about a story has the story in its prompt.
Question make_question(uint64_t seed, uint64_t index);

}  // namespace quern::data::synth
