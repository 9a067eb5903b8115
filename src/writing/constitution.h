// A constitution: principles by which a model criticises and revises its answers, and judges which of two is better
// (Bai et al. 2022, "Constitutional AI", arXiv 2212.08073).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace quern::writing {

struct Principle {
  std::string name;        // for people; "principle 3" where none is given
  std::string critique;    // asks what is wrong with an answer
  std::string revision;    // asks for a better one
  std::string preference;  // asks which of two answers is better; may be empty
};

struct Constitution {
  std::vector<Principle> principles;  // at least one

  // The principle of a draw: those of one item do not come again before all were drawn. A function of seed, item and round.
  const Principle& drawn(uint64_t seed, uint64_t item, uint64_t round) const;
  // Of those with a preference only. Precondition: has_preferences().
  const Principle& drawn_preference(uint64_t seed, uint64_t item) const;
  bool has_preferences() const;
  std::string key() const;  // hash of all texts
};

// YAML or JSON: a list of {name, critique, revision, preference}, or such a list under "principles". invalid_argument with file and
// line for a principle without critique or revision, an unknown field, or where there are none.
Result<Constitution> read_constitution(const std::filesystem::path& path);

}  // namespace quern::writing
