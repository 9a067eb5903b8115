#include "text/word_counter.h"

#include <algorithm>
#include <exception>
#include <mutex>

#include "base/interrupt.h"
#include "base/threads.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
constexpr size_t kBatchBytes = size_t{16} << 20;

constexpr size_t kCutBytes = size_t{256} << 10;

// Where `text` may be cut past kCutBytes, or its size.
size_t find_cut(std::string_view text) {
  for (size_t at = text.find('\n', kCutBytes); at < text.size() - 1; at = text.find('\n', at + 1)) {
    const char before = text[at - 1], after = text[at + 1];
    const bool letter = (after >= 'a' && after <= 'z') || (after >= 'A' && after <= 'Z');
    if (letter && before > ' ' && before <= '~') return at + 1;
  }
  return text.size();
}

// Texts copied one after the other, to be counted together.
struct Batch {
  std::string bytes;
  std::vector<size_t> ends = {0};

  bool fill(const TextSource& next, bool may_cut) {
    bytes.clear();
    ends.assign(1, 0);
    while (bytes.size() < kBatchBytes) {
      const std::optional<std::string_view> text = next();
      if (!text) return false;
      std::string_view rest = *text;
      while (may_cut && rest.size() > kCutBytes) {
        const size_t cut = find_cut(rest);
        add(rest.substr(0, cut));
        rest.remove_prefix(cut);
      }
      add(rest);
    }
    return true;
  }
  void add(std::string_view text) {
    bytes += text;
    ends.push_back(bytes.size());
  }
  size_t size() const { return ends.size() - 1; }
  std::string_view at(size_t i) const {
    return std::string_view(bytes).substr(ends[i], ends[i + 1] - ends[i]);
  }
};

void count_text(std::string_view text, const WordCounting& counting, WordCounts& counts) {
  Repaired repaired;
  if (valid_utf8_prefix(text) != text.size()) {
    repaired = repair_utf8(text);
    text = repaired.text;
  }
  if (text.empty()) return;
  Segment segment(text, 0, false);
  for (const auto& step : counting.normalizers) step->apply(segment);
  for (const auto& step : counting.pre_tokenizers.steps) step->apply(segment);
  for (const Span piece : segment.pieces()) counts.add(segment.view(piece), 1);
}
}  // namespace

void WordCounts::add(std::string_view word, int64_t count) {
  const uint32_t index = words.add(word);
  if (index == counts.size()) counts.push_back(0);
  counts[index] += count;
}

WordCounts count_words(const TextSource& next, const WordCounting& counting, Progress& progress) {
  const auto threads = static_cast<size_t>(num_threads());
  std::vector<WordCounts> parts(threads);
  Batch batch;
  int64_t bytes_done = 0;
  std::exception_ptr failure;
  std::mutex failure_mutex;
  for (bool more = true; more;) {
    more = batch.fill(next, counting.may_cut);
    // Sums do not depend on which thread counts which text; each takes a run of texts of about equal bytes.
    parallel_for(static_cast<int64_t>(threads), 1, [&](int64_t begin, int64_t end) {
      try {
        for (auto t = static_cast<size_t>(begin); t < static_cast<size_t>(end); ++t) {
          const auto first_at = [&](size_t part) {
            return static_cast<size_t>(
                std::lower_bound(batch.ends.begin(), batch.ends.end(), batch.bytes.size() * part / threads) -
                batch.ends.begin());
          };
          const size_t last = t + 1 == threads ? batch.size() : first_at(t + 1);
          for (size_t i = first_at(t); i < last; ++i) count_text(batch.at(i), counting, parts[t]);
        }
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        failure = std::current_exception();
      }
    });
    if (failure) std::rethrow_exception(failure);
    bytes_done += static_cast<int64_t>(batch.bytes.size());
    progress.update(bytes_done);
    throw_if_interrupted();
  }
  WordCounts total = std::move(parts[0]);
  for (size_t t = 1; t < threads; ++t) {
    for (uint32_t i = 0; i < parts[t].words.size(); ++i) total.add(parts[t].words.at(i), parts[t].counts[i]);
  }
  return total;
}

}  // namespace quern::text
