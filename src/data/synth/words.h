// The words of the synthetic world. Lists, not logic; every list is ordered and its order is part of the
// corpus.
#pragma once

#include <span>
#include <string_view>

namespace quern::data::synth {

struct Name {
  std::string_view name;
  bool girl;
};

std::span<const Name> names();
std::span<const std::string_view> pet_names();
std::span<const std::string_view> pets();     // "dog"
std::span<const std::string_view> objects();  // "kite": things a child owns
std::span<const std::string_view> finds();    // "key": small things lying about
std::span<const std::string_view> colours();
std::span<const std::string_view> places();     // "park": goes with "the"
std::span<const std::string_view> spots();      // "under the bench"
std::span<const std::string_view> foods();      // "apples": plural, countable
std::span<const std::string_view> fruits();     // "apples": what grows on trees
std::span<const std::string_view> meals();      // "soup": not countable
std::span<const std::string_view> traits();     // "brave"
std::span<const std::string_view> feelings();   // "happy"
std::span<const std::string_view> weathers();   // "sunny"
std::span<const std::string_view> grown_ups();  // "mother"
std::span<const std::string_view> fears();      // "the dark"
// "zero" to "twenty".
std::string_view number(int value);

}  // namespace quern::data::synth
