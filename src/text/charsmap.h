// The precompiled character map of SentencePiece: which strings are replaced by what, as a double-array trie
// (Aoe, 1989, in the layout of the Darts library) over bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::text {

// Read-only after loading, so thread-safe. Every access is checked: the map may come from a hostile file.
class Charsmap {
 public:
  struct Match {
    uint32_t length;  // bytes of the text that are replaced
    std::string_view replacement;
  };

  // The blob: u32 size of the trie, its 32-bit units, then replacements that end in NUL; all little-endian.
  // Errors: corrupt.
  static Result<Charsmap> parse(std::string_view blob);

  // The shortest and the longest rule that `text` begins with.
  std::optional<Match> shortest(std::string_view text) const { return find<true>(text); }
  std::optional<Match> longest(std::string_view text) const { return find<false>(text); }

 private:
  template <bool kFirst>
  std::optional<Match> find(std::string_view text) const;
  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace quern::text
