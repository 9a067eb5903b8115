#include "text/word_counter.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "text/lexer.h"

namespace quern::text {
namespace {

std::map<std::string, int64_t> count(const std::string& text, std::string_view pattern, bool may_cut) {
  const Json split = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
  const PreTokenizers steps = make_pre_tokenizers(split, true).value();
  const Normalizers none;
  bool given = false;
  const TextSource once = [&]() -> std::optional<std::string_view> {
    if (given) return std::nullopt;
    given = true;
    return text;
  };
  const WordCounts words = count_words(once, {none, steps, may_cut}, null_progress());
  std::map<std::string, int64_t> counts;
  for (uint32_t i = 0; i < words.words.size(); ++i) counts.emplace(words.words.at(i), words.counts[i]);
  return counts;
}

// The cuts of long texts must not show: text full of places where a cut is allowed or nearly so.
TEST(WordCounter, CutsLongTextsWhereNoPieceCrosses) {
  const std::string_view parts[] = {"a",    "B",     "1",     ".",         "!",         "/",       "'",
                                    "'s",   " ",     "\t",    "\n",        "\n",        "\nA",     ".\nb",
                                    " \nC", "\r\nd", "\n\ne", "\u00e9\nf", "\u00a0\ng", "\n\u0301"};
  Rng rng(9, 0);
  std::string text;
  while (text.size() < 1'500'000) text += parts[rng.below(std::size(parts))];
  for (const std::string_view pattern : known_patterns())
    EXPECT_EQ(count(text, pattern, true), count(text, pattern, false)) << pattern;
}

TEST(WordCounter, CountsATextWithoutPlacesToCut) {
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(count(text, kGpt2Pattern, true), (std::map<std::string, int64_t>{{text, 1}}));
}

}  // namespace
}  // namespace quern::text
