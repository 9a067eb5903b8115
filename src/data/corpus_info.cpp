#include "data/corpus_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace quern::data {

Result<CorpusInfo> inspect_corpus(const std::vector<std::string>& paths, const ReaderOptions& options,
                                  Progress& progress) {
  QUERN_TRY(DocumentReader reader, open_corpus(paths, options));
  ProgressScope scope(progress, "reading", 0, "bytes");
  CorpusInfo info;
  Document document;
  for (;;) {
    QUERN_TRY(const bool any, reader.next(document));
    if (!any) break;
    const auto length = static_cast<int64_t>(document.text.size());
    info.shortest = reader.statistics().documents == 1 ? length : std::min(info.shortest, length);
    info.longest = std::max(info.longest, length);
    ++info.lengths[static_cast<size_t>(std::bit_width(static_cast<uint64_t>(length)))];
    scope.update(reader.statistics().bytes);
  }
  info.statistics = reader.statistics();
  if (info.statistics.documents == 0) return empty_corpus(info.statistics);
  return info;
}

}  // namespace quern::data
