#include "recipes/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "unit/recipes/tiny_recipe.h"

namespace quern::recipes {
namespace {

using testing::HasSubstr;
using testing::Not;

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

// The JSON that the page's script reads.
nlohmann::json data_of(const std::string& page) {
  const std::string open = R"(<script type="application/json" id="data">)";
  const size_t begin = page.find(open) + open.size();
  return nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

constexpr const char* kHostile = "</script><img src=x onerror=alert(1)><!-- {{script}} {{data}} \xff";

class ReportTest : public testing::Test {
 protected:
  std::string page(std::vector<FinishedStage> stages) {
    Recipe recipe;
    recipe.name = "tea";
    recipe.out = folder_.path();
    const auto path = write_report(recipe, stages).value();
    EXPECT_EQ(path, folder_ / "report.html");
    return read_file(path).value();
  }
  FinishedStage stage(nlohmann::ordered_json figures) {
    FinishedStage stage{
        .name = "model", .kind = "pretrain", .key = "k", .folder = folder_ / "model", .record = {}};
    stage.record = {
        {"stage", "model"}, {"kind", "pretrain"}, {"seconds", 1.0}, {"figures", std::move(figures)}};
    return stage;
  }
  test::TempDir folder_;
};

TEST_F(ReportTest, HoldsTheRecordsAndTheMetrics) {
  write(folder_ / "model/metrics.jsonl",
        "{\"kind\": \"train\", \"step\": 1, \"loss\": 2.5}\nnot json\n{\"kind\": \"eval\", \"step\": "
        "1}\n{\"cut off");
  const std::string html = page({stage({{"validation_loss", 1.25}})});
  const nlohmann::json data = data_of(html);
  EXPECT_EQ(data["recipe"], "tea");
  ASSERT_EQ(data["stages"].size(), 1u);
  EXPECT_EQ(data["stages"][0]["figures"]["validation_loss"], 1.25);
  ASSERT_EQ(data["stages"][0]["metrics"].size(), 2u);  // what is no row is left out
  EXPECT_EQ(data["stages"][0]["metrics"][0]["loss"], 2.5);
}

TEST_F(ReportTest, NeedsNothingElse) {
  const std::string html = page({});
  for (const char* outside :
       {"<link", "src=\"http", "src='http", "@import", "{{style}}", "{{charts}}", "{{script}}"})
    EXPECT_THAT(html, Not(HasSubstr(outside))) << outside;
  EXPECT_EQ(count(html, "</script>"), 3u);
  EXPECT_GT(html.size(), 100000u);  // the chart library is inside
}

TEST_F(ReportTest, NothingThatAModelWroteGetsOutOfItsElement) {
  const nlohmann::json row = {{"kind", "sample"}, {"step", 1}, {"prompt", kHostile}, {"text", kHostile}};
  write(folder_ / "model/metrics.jsonl",
        row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  const std::string clean = page({stage({})});
  const std::string html = page({stage({{"samples", {{{"prompt", kHostile}, {"text", kHostile}}}}})});
  EXPECT_EQ(count(html, "</script"), 3u);
  EXPECT_EQ(count(html, "<img"), 0u);
  EXPECT_EQ(count(html, "<!--"), count(clean, "<!--"));
  // And the text arrives unchanged, marks of the page included.
  EXPECT_THAT(data_of(html)["stages"][0]["figures"]["samples"][0]["text"].get<std::string>(),
              testing::StartsWith("</script><img src=x onerror=alert(1)><!-- {{script}} {{data}}"));
  EXPECT_THAT(data_of(html)["stages"][0]["metrics"][0]["text"].get<std::string>(),
              testing::StartsWith("</script>"));
}

TEST_F(ReportTest, NumbersThatJsonLacksBecomeNull) {
  const nlohmann::json data = data_of(page({stage({{"perplexity", INFINITY}})}));
  EXPECT_TRUE(data["stages"][0]["figures"]["perplexity"].is_null());
}

}  // namespace
}  // namespace quern::recipes
