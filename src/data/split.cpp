#include "data/split.h"

#include <xxhash.h>

#include <algorithm>

namespace quern::data {

bool held_out(std::string_view text, const SplitOptions& options) {
  const uint64_t hash = XXH3_64bits_withSeed(text.data(), text.size(), options.seed);
  return static_cast<double>(hash >> 11) * 0x1.0p-53 < options.fraction;
}

size_t tail_cut(std::string_view text, uint64_t train_bytes_left) {
  if (train_bytes_left >= text.size()) return text.size();
  auto cut = static_cast<size_t>(train_bytes_left);
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return cut;
}

}  // namespace quern::data
