#include "text/reference_sets.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/exception.h"

namespace quern::text {

namespace {
struct CodePointRange {
  char32_t first, last;
};

#include "text/reference_sets.inc"

bool differs(std::span<const CodePointRange> ranges, char32_t cp) {
  if (cp < ranges.front().first) return false;
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), cp,
                       [](char32_t value, const CodePointRange& r) { return value < r.first; });
  return cp <= (after - 1)->last;
}

struct ScriptRun {
  char32_t first;
  int script;
};

std::vector<ScriptRun> read_script_runs() {
  std::vector<ScriptRun> runs;
  uint32_t value = 0;
  char32_t first = 0;
  for (const char c : kScriptRuns) {
    if (c == ',') {
      first += value;
      value = 0;
    } else if (c == ';') {
      runs.push_back({first, static_cast<int>(value)});
      value = 0;
    } else {
      value = value * 32 + static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
  }
  if (runs.empty() || runs[0].first != 0) throw InternalError("the table of scripts is damaged");
  return runs;
}
}  // namespace

bool is_bert_control(char32_t cp) {
  const Category category = category_of(cp);
  const bool control = category == Category::Cc || category == Category::Cf || category == Category::Co;
  const bool ours = (control && cp != '\t' && cp != '\n' && cp != '\r') || cp == kReplacement;
  return ours != differs(kBertControlDiffers, cp);
}

bool is_bert_accent(char32_t cp) {
  return (category_of(cp) == Category::Mn) != differs(kBertAccentDiffers, cp);
}

bool is_combining_mark(char32_t cp) {
  return ((classes_of(cp) & kMark) != 0) != differs(kCombiningMarkDiffers, cp);
}

bool is_punctuation(char32_t cp) {
  if (cp < 0x80) return classes_of(cp) & (kPunctuation | kSymbol);
  return ((classes_of(cp) & kPunctuation) != 0) != differs(kPunctuationDiffers, cp);
}

int script_of(char32_t cp) {
  static const std::vector<ScriptRun> runs = read_script_runs();
  const auto after = std::upper_bound(runs.begin(), runs.end(), cp,
                                      [](char32_t value, const ScriptRun& r) { return value < r.first; });
  return (after - 1)->script;
}

}  // namespace quern::text
