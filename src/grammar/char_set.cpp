#include "grammar/char_set.h"

#include <algorithm>

namespace quern::grammar {

std::vector<CharRange> CharSet::ranges() const {
  std::vector<CharRange> sorted = ranges_, merged;
  std::ranges::sort(sorted, {}, &CharRange::first);
  for (const CharRange& range : sorted) {
    if (!merged.empty() && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

CharSet CharSet::negated() const {
  CharSet result;
  char32_t next = 0;
  for (const CharRange& range : ranges()) {
    if (range.first > next) result.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= kLastChar) result.add(next, kLastChar);
  return result;
}

CharSet CharSet::without(const CharSet& other) const {
  CharSet outside = negated();
  outside.add(other);
  return outside.negated();
}

bool CharSet::contains(char32_t c) const {
  return std::ranges::any_of(ranges_, [c](const CharRange& r) { return r.first <= c && c <= r.last; });
}

namespace {

constexpr char32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

uint32_t encode(char32_t c, std::array<uint8_t, 4>& bytes) {
  const auto tail = [c](int shift) { return static_cast<uint8_t>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return bytes = {static_cast<uint8_t>(c)}, 1;
  if (c < 0x800) return bytes = {static_cast<uint8_t>(0xC0 | c >> 6), tail(0)}, 2;
  if (c < 0x10000) return bytes = {static_cast<uint8_t>(0xE0 | c >> 12), tail(6), tail(0)}, 3;
  return bytes = {static_cast<uint8_t>(0xF0 | c >> 18), tail(12), tail(6), tail(0)}, 4;
}

// Cuts the range until its first and last character spell, byte by byte, the ends of what lies between.
void append_sequences(char32_t first, char32_t last, std::vector<ByteSequence>& out) {
  if (first > last) return;
  if (first <= kLastSurrogate && last >= kFirstSurrogate) {
    if (first < kFirstSurrogate) append_sequences(first, kFirstSurrogate - 1, out);
    append_sequences(kLastSurrogate + 1, last, out);
    return;
  }
  for (const char32_t end_of_length : {0x7Fu, 0x7FFu, 0xFFFFu}) {
    if (first > end_of_length || last <= end_of_length) continue;
    append_sequences(first, end_of_length, out);
    return append_sequences(end_of_length + 1, last, out);
  }
  for (int bits = 6; last > 0x7F && bits <= 18; bits += 6) {
    const char32_t low = (char32_t{1} << bits) - 1;
    if ((first & ~low) == (last & ~low)) continue;
    if ((first & low) != 0) {
      append_sequences(first, first | low, out);
      return append_sequences((first | low) + 1, last, out);
    }
    if ((last & low) != low) {
      append_sequences(first, (last & ~low) - 1, out);
      return append_sequences(last & ~low, last, out);
    }
  }
  std::array<uint8_t, 4> low{}, high{};
  ByteSequence sequence{{}, encode(first, low)};
  encode(last, high);
  for (uint32_t i = 0; i < sequence.length; ++i) sequence.ranges[i] = {low[i], high[i]};
  out.push_back(sequence);
}

}  // namespace

std::vector<ByteSequence> utf8_of(const CharSet& set) {
  std::vector<ByteSequence> sequences;
  for (const CharRange& range : set.ranges()) append_sequences(range.first, range.last, sequences);
  return sequences;
}

char32_t take_char(std::string_view& text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  char32_t c = length == 1 ? lead : lead & (0x7Fu >> length);
  bool valid = length > 0 && lead < 0xF5;
  for (size_t i = 1; i < length; ++i) {
    valid = valid && (byte(i) & 0xC0) == 0x80;
    c = c << 6 | (byte(i) & 0x3F);
  }
  std::array<uint8_t, 4> shortest{};
  valid = valid && c <= kLastChar && !(c >= kFirstSurrogate && c <= kLastSurrogate) &&
          encode(c, shortest) == length;
  text.remove_prefix(valid ? length : 1);
  return valid ? c : 0xFFFD;
}

void append_char(std::string& text, char32_t c) {
  std::array<uint8_t, 4> bytes{};
  const uint32_t length = encode(c, bytes);
  for (uint32_t i = 0; i < length; ++i) text += static_cast<char>(bytes[i]);
}

}  // namespace quern::grammar
