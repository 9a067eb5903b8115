#include "data/synth/scene.h"

#include <algorithm>

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

Slots friend_view(const Slots& scene) {
  Slots view = scene;
  for (const auto& [slot, value] : scene) {
    const auto own = slot[0] == 'f' ? scene.find(slot.substr(1)) : scene.end();
    if (own == scene.end()) continue;
    view[own->first] = value;
    view[slot] = own->second;
  }
  std::swap(view["hero"], view["friend"]);
  return view;
}

Slots with_other_words(const Slots& scene) {
  Slots other = friend_view(scene);
  const auto next = [&](const char* slot, auto words) {
    const auto found = std::ranges::find(words, std::string_view(other[slot]));
    other[slot] = words[static_cast<size_t>(found - words.begin() + 1) % words.size()];
  };
  next("fruit", fruits()), next("trait", traits()), next("weather", weathers());
  next("grown", grown_ups()), next("fear", fears());
  return other;
}

std::string scene_key(const Slots& scene) {
  std::string key;
  for (const char* slot : {"hero", "friend", "object", "place"}) key += scene.find(slot)->second + "|";
  return key;
}

}  // namespace quern::data::synth
