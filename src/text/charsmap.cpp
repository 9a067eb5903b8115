#include "text/charsmap.h"

#include <fmt/format.h>

#include <cstring>

namespace quern::text {

namespace {
// A unit of the trie: an inner node (its label, whether a value hangs below it, the offset of its children) or
// a value.
constexpr uint32_t label_of(uint32_t unit) { return unit & (1u << 31 | 0xFF); }
constexpr bool has_value(uint32_t unit) { return unit >> 8 & 1; }
constexpr uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }
constexpr uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }
}  // namespace

Result<Charsmap> Charsmap::parse(std::string_view blob) {
  uint32_t trie_bytes = 0;
  if (blob.size() > 4) std::memcpy(&trie_bytes, blob.data(), 4);
  if (blob.size() <= 4 || trie_bytes % 4 != 0 || trie_bytes == 0 || trie_bytes > blob.size() - 4) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("the precompiled character map of {} bytes says that its trie has {}",
                                  blob.size(), trie_bytes));
  }
  Charsmap map;
  map.units_.resize(trie_bytes / 4);
  std::memcpy(map.units_.data(), blob.data() + 4, trie_bytes);
  map.replacements_ = blob.substr(4 + trie_bytes);
  return map;
}

template <bool kFirst>
std::optional<Charsmap::Match> Charsmap::find(std::string_view text) const {
  std::optional<Match> found;
  size_t node = offset_of(units_[0]);
  for (uint32_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label_of(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (node >= units_.size()) break;
    const uint32_t at = value_of(units_[node]);
    if (at >= replacements_.size()) break;
    const std::string_view rest = std::string_view(replacements_).substr(at);
    found = Match{i + 1, rest.substr(0, rest.find('\0'))};
    if (kFirst) break;
  }
  return found;
}

template std::optional<Charsmap::Match> Charsmap::find<true>(std::string_view) const;
template std::optional<Charsmap::Match> Charsmap::find<false>(std::string_view) const;

}  // namespace quern::text
