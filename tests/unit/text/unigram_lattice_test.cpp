#include "text/unigram_lattice.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace quern::text {
namespace {

struct Pieces {
  explicit Pieces(const std::map<std::string, double>& scored) : texts({""}), scores({-40}) {
    for (const auto& [text, score] : scored) {
      texts.push_back(text);
      scores.push_back(score);
    }
    std::vector<ByteTrie::Entry> entries;
    for (size_t i = 1; i < texts.size(); ++i) entries.push_back({texts[i], static_cast<int32_t>(i)});
    trie = ByteTrie(std::move(entries));
    for (const double score : scores) probabilities.push_back(std::exp(score));
  }
  LatticePieces view() const { return {trie, scores, probabilities}; }

  std::vector<std::string> texts;
  std::vector<double> scores, probabilities;
  ByteTrie trie;
};

// Probability of all cuts of `word`, and expected numbers, by going through every cut.
double enumerate(const Pieces& pieces, const std::string& word, double before, std::vector<int>& used,
                 std::vector<double>& sums) {
  if (word.empty()) {
    for (size_t i = 0; i < used.size(); ++i) sums[i] += before * used[i];
    return before;
  }
  double all = 0;
  for (size_t i = 1; i < pieces.texts.size(); ++i) {
    if (!word.starts_with(pieces.texts[i])) continue;
    ++used[i];
    all +=
        enumerate(pieces, word.substr(pieces.texts[i].size()), before * pieces.probabilities[i], used, sums);
    --used[i];
  }
  return all;
}

TEST(UnigramLattice, ExpectsWhatAllCutsTogetherHold) {
  const Pieces pieces({{"a", -1}, {"b", -2.5}, {"ab", -2}, {"aba", -4}, {"ba", -3}, {"bb", -3.5}});
  const LatticePieces view = pieces.view();
  UnigramLattice lattice(view);
  for (const std::string word : {"a", "ab", "ababba", "bbabaabab"}) {
    std::vector<int> used(pieces.texts.size());
    std::vector<double> sums(pieces.texts.size()), expected(pieces.texts.size());
    const double all = enumerate(pieces, word, 1, used, sums);
    lattice.fill(word);
    lattice.add_expected(3, expected);
    for (size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(expected[i], 3 * sums[i] / all, 1e-12) << word;
  }
}

// A word so long that its probability is no double.
TEST(UnigramLattice, LongWordsDoNotVanish) {
  const Pieces pieces({{"a", -12}, {"b", -15}, {"ab", -25}});
  const LatticePieces view = pieces.view();
  UnigramLattice lattice(view);
  std::string word;
  for (int i = 0; i < 20000; ++i) word += "ab";
  std::vector<double> expected(pieces.texts.size());
  lattice.fill(word);
  lattice.add_expected(1, expected);
  const double joined = std::exp(-25) / (std::exp(-25) + std::exp(-27));
  EXPECT_NEAR(expected[2] / 20000, joined, 1e-9);      // "ab"
  EXPECT_NEAR(expected[1] / 20000, 1 - joined, 1e-9);  // "a"
  EXPECT_NEAR(expected[3] / 20000, 1 - joined, 1e-9);  // "b"
}

TEST(UnigramLattice, FindsTheBestCutWithAndWithoutAPiece) {
  const Pieces pieces({{"a", -1}, {"b", -2.5}, {"ab", -2}, {"abc", -3}});
  const LatticePieces view = pieces.view();
  UnigramLattice lattice(view);
  std::vector<int32_t> path;
  lattice.fill("abc");
  EXPECT_EQ(lattice.find_best(path), -3);
  EXPECT_EQ(path, (std::vector<int32_t>{3}));
  lattice.fill("abc", 3);
  EXPECT_EQ(lattice.find_best(path), -42);  // "c" is unknown
  EXPECT_EQ(path, (std::vector<int32_t>{LatticePieces::kUnknown, 2}));
}

}  // namespace
}  // namespace quern::text
