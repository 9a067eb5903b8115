// Phrases with choices and slots: "{hero} (ran|walked) to the {place}." One small language in which the
// plots, questions and dialogues of the synthetic world are written.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/rng.h"

namespace quern::data::synth {

using Slots = std::map<std::string, std::string, std::less<>>;

// Replaces {slot} by its value and (a|b|c), which may nest, by one of the choices. Puts "an" for "a" before a
// vowel and a capital at the beginning of each sentence. Throws InternalError for an unknown slot or an
// unbalanced bracket: the phrases are part of the program.
std::string expand(std::string_view phrase, const Slots& slots, Rng& rng);

}  // namespace quern::data::synth
