// A scene: who, what and where of one story, drawn once so that the story and every question about it agree.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/synth/phrase.h"

namespace quern::data::synth {

// Draws one of `words`; `Words` is a span or an array of anything.
template <class Words>
const auto& pick(const Words& words, Rng& rng) {
  return words[rng.below(std::size(words))];
}

// Puts `items` in a random order.
template <class T>
void shuffle(std::vector<T>& items, Rng& rng) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.below(i)]);
}

// The slots of two children: {hero} {he} {him} {his} and {friend} {fhe} {fhim} {fhis}, and for each (the
// friend's with an f before it) {pet} {petname} {object} {colour} {find} {findcolour} {place} {spot} {food}
// {count} {meal} {feeling}; shared {fruit} {trait} {weather} {grown} {fear}. The friend's words differ from
// the hero's, so that every question has one answer.
Slots draw_scene(Rng& rng);

// The scene as the friend sees it: what is said of {hero} is then said of the friend, and the other way round.
Slots friend_view(const Slots& scene);
// The friend's view, in which the words that both share are others, too: no slot has the value that it has in `scene`, but for
// pronouns.
Slots with_other_words(const Slots& scene);

// What tells this scene from others: the combination that decides whether it is held out.
std::string scene_key(const Slots& scene);

}  // namespace quern::data::synth
