// A scene: who, what and where of one story, drawn once so that the story and every question about it agree.
#pragma once

#include <string>
#include <vector>

#include "data/synth/phrase.h"

namespace quern::data::synth {

// Draws one of `words`; `Words` is a span of anything.
template <class Words>
const auto& pick(const Words& words, Rng& rng) {
  return words[rng.below(words.size())];
}

// The slots of two children: {hero} {he} {him} {his} and {friend} {fhe} {fhim} {fhis}, and for each (the
// friend's with an f before it) {pet} {petname} {object} {colour} {find} {findcolour} {place} {spot} {food}
// {count} {meal} {feeling}; shared {fruit} {trait} {weather} {grown} {fear}. The friend's words differ from
// the hero's, so that every question has one answer.
Slots draw_scene(Rng& rng);

// What tells this scene from others: the combination that decides whether it is held out.
std::string scene_key(const Slots& scene);

}  // namespace quern::data::synth
