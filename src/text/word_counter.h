// Counting the distinct pieces of a corpus on all threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/string_table.h"
#include "text/training.h"

namespace quern::text {

struct WordCounts {
  StringTable words;
  std::vector<int64_t> counts;  // by index of words

  void add(std::string_view word, int64_t count);
};

struct WordCounting {
  const Normalizers& normalizers;
  const PreTokenizers& pre_tokenizers;
  // Long texts may be cut between a newline, after a visible character, and a Latin letter. All patterns of
  // lexer.h split there whatever stands around, so that the counts are the same, and one large file keeps all
  // threads busy.
  bool may_cut = false;
};

// Pieces of all texts of `next` after normalizers and pre-tokenizers.
WordCounts count_words(const TextSource& next, const WordCounting& counting, Progress& progress);

}  // namespace quern::text
