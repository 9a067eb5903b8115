#include "data/synth/scene.h"

#include "data/synth/words.h"

namespace quern::data::synth {

namespace {

// Two different words of a list into the hero's slot and the friend's.
template <class Words>
void draw_pair(Slots& slots, const std::string& slot, const Words& words, Rng& rng) {
  const size_t first = rng.below(words.size());
  const size_t second = (first + 1 + rng.below(words.size() - 1)) % words.size();
  slots[slot] = words[first];
  slots["f" + slot] = words[second];
}

void put_person(Slots& slots, const std::string& name_slot, const std::string& prefix, const Name& person) {
  slots[name_slot] = person.name;
  slots[prefix + "he"] = person.girl ? "she" : "he";
  slots[prefix + "him"] = person.girl ? "her" : "him";
  slots[prefix + "his"] = person.girl ? "her" : "his";
}

}  // namespace

Slots draw_scene(Rng& rng) {
  Slots slots;
  const auto people = names();
  const size_t hero = rng.below(people.size());
  put_person(slots, "hero", "", people[hero]);
  put_person(slots, "friend", "f", people[(hero + 1 + rng.below(people.size() - 1)) % people.size()]);
  draw_pair(slots, "pet", pets(), rng);
  draw_pair(slots, "petname", pet_names(), rng);
  draw_pair(slots, "object", objects(), rng);
  draw_pair(slots, "colour", colours(), rng);
  draw_pair(slots, "find", finds(), rng);
  draw_pair(slots, "findcolour", colours(), rng);
  draw_pair(slots, "place", places(), rng);
  draw_pair(slots, "spot", spots(), rng);
  draw_pair(slots, "food", foods(), rng);
  draw_pair(slots, "meal", meals(), rng);
  draw_pair(slots, "feeling", feelings(), rng);
  const uint64_t count = rng.below(8);
  slots["count"] = number(static_cast<int>(count) + 2);
  slots["fcount"] = number(static_cast<int>((count + 1 + rng.below(7)) % 8) + 2);
  slots["fruit"] = pick(fruits(), rng);
  slots["trait"] = pick(traits(), rng);
  slots["weather"] = pick(weathers(), rng);
  slots["grown"] = pick(grown_ups(), rng);
  slots["fear"] = pick(fears(), rng);
  return slots;
}

std::string scene_key(const Slots& scene) {
  std::string key;
  for (const char* slot : {"hero", "friend", "object", "place"}) key += scene.find(slot)->second + "|";
  return key;
}

}  // namespace quern::data::synth
