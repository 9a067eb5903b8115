// Scores that people compare: entities as seqeval counts them, answers as SQuAD does, ranks as SciPy.
#include <gtest/gtest.h>

#include "encoding/answer_spans.h"
#include "encoding/entities.h"
#include "encoding/label_counts.h"
#include "encoding/sequence_labels.h"

namespace quern::encoding {
namespace {

std::vector<Entity> read(std::vector<std::string_view> tags) { return entities_of(tags); }

TEST(Entities, BeginAndEndAsSeqevalHasThem) {
  EXPECT_EQ(read({"B-PER", "I-PER", "O", "B-LOC"}), (std::vector<Entity>{{"PER", 0, 2}, {"LOC", 3, 4}}));
  EXPECT_EQ(read({"B-PER", "B-PER"}), (std::vector<Entity>{{"PER", 0, 1}, {"PER", 1, 2}}));
  EXPECT_EQ(read({"O", "I-PER", "I-LOC"}), (std::vector<Entity>{{"PER", 1, 2}, {"LOC", 2, 3}}));
  EXPECT_EQ(read({"B-PER", "E-PER", "I-PER", "S-PER"}),
            (std::vector<Entity>{{"PER", 0, 2}, {"PER", 2, 3}, {"PER", 3, 4}}));
}

TEST(Entities, CountOnlyWhereBothEndsAndTheTypeAreRight) {
  EntityCounts counts;
  counts.add(read({"B-PER", "I-PER", "O", "B-LOC"}), read({"B-PER", "O", "O", "B-LOC"}));
  EXPECT_DOUBLE_EQ(counts.precision(), 0.5);
  EXPECT_DOUBLE_EQ(counts.recall(), 0.5);
  counts.add(read({"B-PER"}), read({"O"}));
  EXPECT_DOUBLE_EQ(counts.f1(), 2.0 / 5.0);
}

TEST(LabelCounts, AveragesOverLabels) {
  LabelCounts counts(3);  // labels 0, 0, 1 were said to be 0, 1, 1; nobody speaks of 2
  const size_t there[] = {0, 0, 1}, said[] = {0, 1, 1};
  for (size_t i = 0; i < 3; ++i)
    for (size_t label = 0; label < 3; ++label) counts.add(label, there[i] == label, said[i] == label);
  EXPECT_NEAR(counts.macro_f1(), (2.0 / 3.0 + 2.0 / 3.0) / 2.0, 1e-12);
}

TEST(Answers, AreComparedWithoutWhatDoesNotMatter) {
  EXPECT_EQ(normalized_answer("The  Old,  mill."), "old mill");
  EXPECT_DOUBLE_EQ(word_f1("the old mill", "an old mill!"), 1.0);
  EXPECT_DOUBLE_EQ(word_f1("old mill wheel", "mill"), 0.5);
  EXPECT_DOUBLE_EQ(word_f1("", ""), 1.0);
  EXPECT_DOUBLE_EQ(word_f1("", "mill"), 0.0);
}

TEST(RankCorrelation, SharesRanksOfEqualValues) {
  const std::vector<double> a{1, 2, 2, 3}, b{10, 30, 20, 40};
  EXPECT_NEAR(rank_correlation(a, b), 0.9486832980505138, 1e-12);  // scipy.stats.spearmanr
}

}  // namespace
}  // namespace quern::encoding
