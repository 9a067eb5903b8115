#include "writing/rouge.h"

#include <algorithm>
#include <string>

#include "base/hash.h"
#include "text/unicode.h"

namespace quern::writing {

std::vector<uint64_t> words_of(std::string_view text) {
  std::vector<uint64_t> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(hash64(std::string_view(word)));
    word.clear();
  };
  while (!text.empty()) {
    const text::Decoded next = text::decode_utf8(text);
    text.remove_prefix(next.length);
    if (next.valid && (text::classes_of(next.code_point) & (text::kLetter | text::kMark | text::kNumber)))
      text::append_lowercase(word, next.code_point);
    else
      end_word();
  }
  end_word();
  return words;
}

int64_t common_words(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  std::vector<int64_t> row(b.size() + 1, 0);  // row[j]: of what of `a` was seen, and the first j of b
  for (const uint64_t word : a) {
    int64_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const int64_t above = row[j + 1];
      row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

double rouge_l(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  if (a.empty() || b.empty()) return 0.0;
  return 2.0 * static_cast<double>(common_words(a, b)) / static_cast<double>(a.size() + b.size());
}

}  // namespace quern::writing
