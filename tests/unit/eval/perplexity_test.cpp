// Scores and their statistics against transformers and numpy (tools/goldens/perplexity.py).
#include "eval/perplexity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "model/load.h"
#include "support/golden.h"

namespace quern::eval {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

using quern::test::kGolden;

class Perplexity : public testing::Test {
 protected:
  Perplexity() {
    text_.tokens = golden_["tokens"].get<std::vector<int32_t>>();
    text_.bos = golden_["bos"].get<int32_t>();
    // Each token stands for two bytes.
    for (uint32_t i = 0; i < text_.tokens.size(); ++i) text_.spans.push_back({2 * i, 2 * i + 2});
    options_.windows.context = golden_["context"];
  }
  ScoredText score(const model::Decoder* base = nullptr) const {
    return score_text(text_, options_, model_, base, null_progress()).value();
  }
  Error failure(const model::Decoder* base = nullptr) const {
    const auto scored = score_text(text_, options_, model_, base, null_progress());
    EXPECT_FALSE(scored.ok());
    return scored.ok() ? Error{} : scored.error();
  }

  Json golden_ = Json::parse(read_file(kGolden / "eval" / "perplexity.json").value());
  model::Decoder model_ = model::load_model(kGolden / "llama" / "tied").value();
  model::Decoder base_ = model::load_model(kGolden / "llama" / "untied").value();
  EvaluationText text_;
  ScoringOptions options_;
};

TEST_F(Perplexity, ChunksAsRecorded) {
  const Json& expected = golden_["chunks"];
  const ScoredText scored = score();
  const PerplexityFigures figures = perplexity_figures(scored);
  EXPECT_EQ(figures.tokens, expected["tokens"]);
  EXPECT_EQ(figures.bytes, 2 * figures.tokens);
  EXPECT_NEAR(figures.loss.value, expected["loss"], 1e-5);
  EXPECT_NEAR(figures.loss.error, expected["loss_error"], 1e-5);
  EXPECT_DOUBLE_EQ(figures.perplexity.value, std::exp(figures.loss.value));
  EXPECT_NEAR(figures.bits_per_byte.value, figures.loss.value / std::log(2.0) / 2, 1e-12);
  ASSERT_EQ(scored.running.size(), 4u);
  EXPECT_EQ(scored.running.back().tokens, figures.tokens);
  EXPECT_DOUBLE_EQ(scored.running.back().loss.value, figures.loss.value);
  EXPECT_EQ(scored.tokens.front().position, 17);
}

TEST_F(Perplexity, SlidingWindowsAsRecorded) {
  options_.windows.method = WindowMethod::sliding;
  options_.windows.stride = golden_["stride"];
  const PerplexityFigures figures = perplexity_figures(score());
  EXPECT_EQ(figures.tokens, golden_["sliding"]["tokens"]);
  EXPECT_NEAR(figures.loss.value, golden_["sliding"]["loss"], 1e-5);
}

TEST_F(Perplexity, ComparisonAsRecorded) {
  const Json& expected = golden_["comparison"];
  const ComparisonFigures figures = comparison_figures(score(&base_));
  EXPECT_NEAR(std::log(figures.base_perplexity.value), std::log(expected["base_perplexity"].get<double>()),
              1e-5);
  EXPECT_NEAR(figures.correlation, expected["correlation"], 1e-4);
  EXPECT_NEAR(figures.log_ratio.error, expected["log_ratio_error"], 1e-5);
  EXPECT_NEAR(figures.ratio.value, figures.perplexity.value / figures.base_perplexity.value, 1e-12);
  EXPECT_NEAR(figures.kl.value, expected["kl"], 1e-4);
  EXPECT_NEAR(figures.kl.error, expected["kl_error"], 1e-4);
  EXPECT_NEAR(figures.delta_p.value, expected["delta_p"], 1e-5);
  EXPECT_NEAR(figures.delta_p_rms.value, expected["delta_p_rms"], 1e-5);
  EXPECT_DOUBLE_EQ(figures.same_top.value, expected["same_top"]);
  const auto agree = [](const std::vector<Quantile>& quantiles, const Json& recorded) {
    size_t next = 0;
    for (const double q : {1.0, 0.99, 0.5, 0.05, 0.0}) {
      const auto found = std::ranges::find(quantiles, q, &Quantile::q);
      ASSERT_NE(found, quantiles.end());
      EXPECT_NEAR(found->value, recorded[next++], 1e-4) << q;
    }
  };
  agree(figures.kl_quantiles, expected["kl_quantiles"]);
  agree(figures.delta_p_quantiles, expected["delta_p_quantiles"]);
}

TEST_F(Perplexity, TheErrorOfTheDifferenceIsThatOfItsParts) {
  // var(a - b) = var a + var b - 2 cov: llama.cpp writes it so.
  const ScoredText scored = score(&base_);
  const ComparisonFigures figures = comparison_figures(scored);
  const double covariance = figures.correlation * figures.perplexity.error * figures.base_perplexity.error;
  EXPECT_NEAR(figures.difference.error,
              std::sqrt(std::pow(figures.perplexity.error, 2) + std::pow(figures.base_perplexity.error, 2) -
                        2 * covariance),
              1e-9 * figures.difference.error);
}

TEST_F(Perplexity, SlicesOfRowsChangeNothing) {
  const ScoredText whole = score(&base_);
  options_.slice_bytes = 1;
  const ScoredText sliced = score(&base_);
  ASSERT_EQ(sliced.tokens.size(), whole.tokens.size());
  for (size_t i = 0; i < whole.tokens.size(); ++i) {
    EXPECT_EQ(sliced.tokens[i].position, whole.tokens[i].position);
    EXPECT_NEAR(sliced.tokens[i].nll, whole.tokens[i].nll, 1e-6);
    EXPECT_NEAR(sliced.tokens[i].kl, whole.tokens[i].kl, 1e-6);
  }
}

TEST_F(Perplexity, RefusesWhatDoesNotFitTheModel) {
  options_.windows.context = 100000;
  EXPECT_THAT(failure().message, HasSubstr("positions, got 100000"));
  options_.windows.context = 32;
  text_.tokens[3] = 61;
  EXPECT_THAT(failure().message, HasSubstr("the text has token 61, but the model knows 61"));
  EXPECT_EQ(failure().code, ErrorCode::conflict);
}

TEST_F(Perplexity, RefusesABaseOfAnotherVocabulary) {
  model::ModelConfig config = model_.config();
  config.vocab_size = 70;
  const model::Decoder other = model::Decoder::create(config, 1).value();
  EXPECT_EQ(failure(&other).code, ErrorCode::conflict);
}

TEST_F(Perplexity, SaysWhereLogitsAreNoNumbers) {
  model::Decoder broken = model::Decoder::create(model_.config(), 1).value();
  broken.visit([](const std::string& name, nn::Parameter& parameter) {
    if (name == "final_norm.weight")
      parameter.master().span<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  });
  const Error error = failure(&broken);
  EXPECT_EQ(error.code, ErrorCode::diverged);
  EXPECT_THAT(error.message, HasSubstr("before token 17"));
}

}  // namespace
}  // namespace quern::eval
