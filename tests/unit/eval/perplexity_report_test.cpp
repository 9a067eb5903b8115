#include "eval/perplexity_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

// "a", half of "é", the other half, "</script>".
EvaluationText sample() {
  EvaluationText text;
  text.text = "a\xC3\xA9</script>";
  text.tokens = {0, 1, 2, 3};
  text.spans = {{0, 1}, {1, 2}, {2, 3}, {3, 12}};
  return text;
}

ScoredText scores() {
  ScoredText scored;
  scored.tokens = {{.position = 1, .nll = 0.5, .base_nll = 0.25, .kl = 3.0},
                   {.position = 2, .nll = 1.0, .base_nll = 0.5, .kl = 1.0},
                   {.position = 3, .nll = 4.0, .base_nll = 2.0, .kl = 2.0}};
  scored.running = {{3, {1.5, 0.5}}};
  scored.bytes = 11;
  return scored;
}

Json page_of(bool compared, std::string* html = nullptr) {
  const test::TempDir folder;
  nlohmann::ordered_json summary = {{"model", "m"}, {"figures", to_json(perplexity_figures(scores()))}};
  if (compared) summary["against"] = {{"model", "base"}, {"figures", to_json(comparison_figures(scores()))}};
  EXPECT_TRUE(write_perplexity_report(folder / "page.html", summary, sample(), scores()).ok());
  const std::string page = read_file(folder / "page.html").value();
  if (html != nullptr) *html = page;
  const std::string open = R"(<script type="application/json" id="data">)";
  const size_t begin = page.find(open) + open.size();
  return Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

TEST(PerplexityReport, TheHardestTokensComeFirst) {
  const Json alone = page_of(false)["hardest"], compared = page_of(true)["hardest"];
  ASSERT_EQ(alone.size(), 3u);
  EXPECT_EQ(alone[0]["token"], "</script>");
  EXPECT_EQ(alone[0]["before"], "a\xC3\xA9");
  EXPECT_EQ(alone[0]["p"], std::exp(-4.0));
  EXPECT_FALSE(alone[0].contains("kl"));
  EXPECT_EQ(compared[0]["position"], 1);
  EXPECT_EQ(compared[0]["kl"], 3.0);
}

TEST(PerplexityReport, TokensThatShareACharacterAreOnePiece) {
  const Json passage = page_of(false)["passage"];
  ASSERT_EQ(passage.size(), 2u);
  EXPECT_EQ(passage[0], Json::array({"\xC3\xA9", 1.5}));
  EXPECT_EQ(passage[1], Json::array({"</script>", 4.0}));
}

TEST(PerplexityReport, TextIsNeverMarkup) {
  std::string html;
  page_of(false, &html);
  EXPECT_THAT(html, Not(HasSubstr("</script>\"")));
  EXPECT_THAT(html, Not(HasSubstr("{{")));
}

}  // namespace
}  // namespace quern::eval
