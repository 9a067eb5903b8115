// What a corpus holds, from one pass over its documents.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "data/document_reader.h"

namespace quern::data {

struct CorpusInfo {
  CorpusStatistics statistics;
  int64_t shortest = 0, longest = 0;  // bytes of a document
  // lengths[i] documents have a length in bytes of i binary digits: [2^(i-1), 2^i).
  std::array<int64_t, 64> lengths{};
};

// Errors: those of open_corpus and DocumentReader::next; invalid_argument when there is no document.
Result<CorpusInfo> inspect_corpus(const std::vector<std::string>& paths, const ReaderOptions& options,
                                  Progress& progress = null_progress());

}  // namespace quern::data
