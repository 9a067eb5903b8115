#include "writing/rouge.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "support/golden.h"

namespace quern::writing {
namespace {

TEST(Rouge, IsThatOfRougeScore) {
  const auto golden = read_json_file(test::kGolden / "writing" / "rouge.json").value();
  ASSERT_GT(golden.size(), 10u);
  for (const auto& row : golden) {
    const auto a = words_of(row["a"].get<std::string>()), b = words_of(row["b"].get<std::string>());
    EXPECT_EQ(a.size(), row["words"].get<size_t>()) << row["a"];
    EXPECT_NEAR(rouge_l(a, b), row["rouge_l"].get<double>(), 1e-12) << row["a"] << " and " << row["b"];
    EXPECT_EQ(rouge_l(a, b), rouge_l(b, a));
  }
}

TEST(Rouge, KnowsWordsOfAnyScript) {
  EXPECT_EQ(words_of("Café, ÄPFEL!"), words_of("café äpfel"));
  EXPECT_EQ(words_of("напиши письмо").size(), 2u);
  EXPECT_TRUE(words_of("... !? \xff").empty());
  EXPECT_EQ(rouge_l(words_of(""), words_of("a")), 0.0);
}

}  // namespace
}  // namespace quern::writing
