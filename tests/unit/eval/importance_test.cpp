#include "eval/importance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "model/load.h"
#include "support/golden.h"

namespace quern::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using quern::test::kGolden;

model::Decoder tiny() { return model::load_model(kGolden / "llama" / "untied").value(); }

EvaluationText numbers(int64_t count) {
  EvaluationText text;
  for (int64_t i = 0; i < count; ++i) text.tokens.push_back(static_cast<int32_t>(i * 7 % 61));
  return text;
}

TEST(ImportanceCollector, SumsSquaresOfColumnsOverCalls) {
  const model::Decoder model = tiny();
  const nn::Parameter* weight = nullptr;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) {
    if (name == "blocks.1.mlp.up.weight") weight = &p;
  });
  ImportanceCollector collector;
  collector.input(*weight, Tensor::from(std::vector<float>{1, -2, 3, 4}, {1, 2, 2}));
  collector.input(*weight, Tensor::from(std::vector<float>{0.5f, 10}, {1, 2}));
  const formats::ImportanceMatrix matrix = collector.matrix(model).value();
  ASSERT_EQ(matrix.entries.size(), 1u);
  const auto& entry = matrix.entries.at("blk.1.ffn_up.weight");
  EXPECT_THAT(entry.sums, ElementsAre(10.25f, 120.0f));
  EXPECT_THAT(entry.counts, ElementsAre(3.0f));
}

TEST(MeasureImportance, SeesEveryLinearMapOfTheBlocks) {
  const auto matrix = measure_importance(tiny(), numbers(100), {.context = 32}, null_progress()).value();
  EXPECT_EQ(matrix.chunk_count, 3u);
  EXPECT_EQ(matrix.chunk_size, 32u);
  EXPECT_EQ(matrix.entries.size(), 2u * 7u);
  for (const auto& [name, entry] : matrix.entries) {
    EXPECT_EQ(entry.counts, std::vector<float>{96.0f}) << name;
    EXPECT_EQ(entry.columns(), name.find("ffn_down") != std::string::npos      ? 24
                               : name.find("attn_output") != std::string::npos ? 32
                                                                               : 16);
  }
  // What shares an input has the same sums.
  EXPECT_EQ(matrix.entries.at("blk.0.attn_q.weight").sums, matrix.entries.at("blk.0.attn_v.weight").sums);
  EXPECT_EQ(matrix.entries.at("blk.0.ffn_gate.weight").sums, matrix.entries.at("blk.0.ffn_up.weight").sums);
  EXPECT_NE(matrix.entries.at("blk.0.attn_q.weight").sums, matrix.entries.at("blk.1.attn_q.weight").sums);
}

TEST(MeasureImportance, AWeightThatAFileJoinsHasOneEntry) {
  const model::Decoder gpt2 = model::load_model(kGolden / "gpt2").value();
  const auto matrix = measure_importance(gpt2, numbers(40), {.context = 16}, null_progress()).value();
  EXPECT_TRUE(matrix.entries.contains("blk.0.attn_qkv.weight"));
  EXPECT_FALSE(matrix.entries.contains("blk.0.attn_q.weight"));
}

TEST(MeasureImportance, SeesEveryFamilyThatGgufHas) {
  for (const char* name : {"falcon", "gpt_neox", "gemma2", "olmo2", "phi", "phi3", "starcoder2"}) {
    const model::Decoder model = model::load_model(kGolden / "families" / name).value();
    const auto matrix = measure_importance(model, numbers(32), {.context = 16}, null_progress()).value();
    for (const char* weight : {"attn_output", "ffn_up", "ffn_down"})
      EXPECT_TRUE(matrix.entries.contains(fmt::format("blk.0.{}.weight", weight))) << name << " " << weight;
  }
}

TEST(MeasureImportance, EachStackedExpertCountsItsOwnRows) {
  const model::Decoder model = model::load_model(kGolden / "families" / "mixtral").value();
  const auto matrix = measure_importance(model, numbers(32), {.context = 16}, null_progress()).value();
  const auto& entry = matrix.entries.at("blk.0.ffn_down_exps.weight");
  ASSERT_EQ(entry.counts.size(), 3u);
  EXPECT_EQ(entry.columns(), 24);
  EXPECT_EQ(entry.counts[0] + entry.counts[1] + entry.counts[2], 32.0f * 2) << "two experts for a token";
  EXPECT_EQ(matrix.entries.at("blk.0.ffn_gate_inp.weight").counts.size(), 1u);
}

TEST(MeasureImportance, RefusesAFamilyThatGgufLacks) {
  const model::Decoder opt = model::load_model(kGolden / "families" / "opt").value();
  const auto matrix = measure_importance(opt, numbers(32), {.context = 16}, null_progress());
  ASSERT_FALSE(matrix.ok());
  EXPECT_EQ(matrix.error().code, ErrorCode::unsupported);
  EXPECT_THAT(matrix.error().message, HasSubstr("has no 'opt'"));
}

TEST(MeasureImportance, TheFirstInputIsTheNormedEmbedding) {
  // One layer's query input, computed here: rms-normed rows of the embedding times the norm's weight.
  const model::Decoder model = tiny();
  Tensor embedding, norm;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) {
    if (name == "embedding.weight") embedding = p.master();
    if (name == "blocks.0.attention_norm.weight") norm = p.master();
  });
  const EvaluationText text = numbers(8);
  const auto matrix = measure_importance(model, text, {.context = 8}, null_progress()).value();
  std::vector<double> expected(16);
  for (const int32_t token : text.tokens) {
    const float* row = embedding.data<float>() + token * 16;
    double square = 0.0;
    for (int c = 0; c < 16; ++c) square += static_cast<double>(row[c]) * row[c] / 16;
    for (size_t c = 0; c < 16; ++c)
      expected[c] += row[c] * row[c] * norm.span<float>()[c] * norm.span<float>()[c] /
                     (square + model.config().norm_eps);
  }
  const auto& sums = matrix.entries.at("blk.0.attn_q.weight").sums;
  for (size_t c = 0; c < 16; ++c) EXPECT_NEAR(sums[c], expected[c], 1e-5 * expected[c]) << c;
}

TEST(MeasureImportance, RefusesWhatIsNoNumber) {
  model::Decoder model = tiny();
  model.set_compute_dtype(DType::f32);
  nn::initialise(model, 1);
  model.visit([](const std::string& name, nn::Parameter& parameter) {
    if (name == "blocks.1.attention_norm.weight")
      parameter.master().span<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  });
  const auto matrix = measure_importance(model, numbers(40), {.context = 16}, null_progress());
  ASSERT_FALSE(matrix.ok());
  EXPECT_EQ(matrix.error().code, ErrorCode::diverged);
  EXPECT_THAT(matrix.error().message, HasSubstr("blk.1."));
}

}  // namespace
}  // namespace quern::eval
