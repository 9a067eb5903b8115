// Sets of Unicode characters, and their spellings in UTF-8 as sequences of byte ranges.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::grammar {

// Both ends included.
struct CharRange {
  char32_t first, last;
  bool operator==(const CharRange&) const = default;
};

inline constexpr char32_t kLastChar = 0x10FFFF;

class CharSet {
 public:
  CharSet() = default;
  CharSet(std::initializer_list<CharRange> ranges) : ranges_(ranges) {}
  static CharSet all() { return {{0, kLastChar}}; }
  static CharSet one(char32_t c) { return {{c, c}}; }

  void add(char32_t first, char32_t last) { ranges_.push_back({first, last}); }
  void add(const CharSet& other) {
    ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  }
  CharSet negated() const;
  CharSet without(const CharSet& other) const;
  CharSet shared_with(const CharSet& other) const { return without(other.negated()); }
  // In order, disjoint, not touching.
  std::vector<CharRange> ranges() const;
  bool contains(char32_t c) const;
  bool empty() const { return ranges_.empty(); }

 private:
  std::vector<CharRange> ranges_;  // as they were added
};

struct ByteRange {
  uint8_t first, last;
};
// One to four bytes, each of its range.
struct ByteSequence {
  std::array<ByteRange, 4> ranges;
  uint32_t length;
};
// Sequences that spell exactly the characters of the set, surrogates left out.
std::vector<ByteSequence> utf8_of(const CharSet& set);

// The next character of well-formed UTF-8, which `text` then begins after. Ill-formed bytes give U+FFFD, one each.
char32_t take_char(std::string_view& text);
void append_char(std::string& text, char32_t c);

}  // namespace quern::grammar
