// What parts of a decoder matter: a part that does nothing matters least.
#include "eval/pruning_scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/family.h"

namespace quern::eval {
namespace {

model::Decoder scored_model(const std::string& family = "llama") {
  model::ModelConfig config = model::find_family(family).value()->defaults();
  config.vocab_size = 61;
  config.layers = 3;
  config.hidden = 16;
  config.intermediate = 20;
  config.heads = 4;
  config.kv_heads = 2;
  config.max_positions = 64;
  config.init_std = 0.2;
  return model::Decoder::create(config, 5).value();
}

EvaluationText counting(int64_t count) {
  EvaluationText text;
  for (int64_t i = 0; i < count; ++i) text.tokens.push_back(static_cast<int32_t>(i * 7 % 61));
  return text;
}

void clear(model::Decoder& model, const std::string& wanted, int64_t begin, int64_t end) {
  model.visit([&](const std::string& name, nn::Parameter& parameter) {
    if (name != wanted) return;
    const Tensor x = parameter.master().detached().clone();
    for (int64_t r = 0; r < x.dim(0); ++r)
      for (int64_t c = begin; c < end; ++c) x.data<float>()[r * x.dim(1) + c] = 0.0f;
    parameter.assign(x);
  });
}

size_t least(const std::vector<double>& scores) {
  return static_cast<size_t>(std::ranges::min_element(scores) - scores.begin());
}

TEST(PruningScores, OfWhatDoesNothingAreNothing) {
  model::Decoder model = scored_model();
  clear(model, "blocks.0.mlp.down.weight", 7, 8);
  clear(model, "blocks.2.attention.o.weight", 8, 16);  // the second of two key heads
  const PruningScores scores =
      scores_over_text(model, counting(100), {.context = 32}, null_progress()).value();
  ASSERT_EQ(scores.channels[0].size(), 20u);
  EXPECT_EQ(least(scores.channels[0]), 7u);
  EXPECT_EQ(scores.channels[0][7], 0.0);
  ASSERT_EQ(scores.groups[2].size(), 2u);
  EXPECT_EQ(scores.groups[2][1], 0.0);
  EXPECT_GT(scores.groups[2][0], 0.0);
}

TEST(PruningScores, OfWeightsAreTheirNorms) {
  const model::Decoder model = scored_model();
  const PruningScores scores = scores_of_weights(model);
  double channel = 0.0, group = 0.0;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) {
    const Tensor& w = p.master();
    const auto add = [&](double& sum, bool rows, int64_t begin, int64_t end) {
      for (int64_t r = 0; r < w.dim(0); ++r)
        for (int64_t c = 0; c < w.dim(1); ++c)
          if (const int64_t at = rows ? r : c; at >= begin && at < end)
            sum += std::pow(double{w.data<float>()[r * w.dim(1) + c]}, 2.0);
    };
    if (name == "blocks.1.mlp.up.weight" || name == "blocks.1.mlp.gate.weight") add(channel, true, 3, 4);
    if (name == "blocks.1.mlp.down.weight") add(channel, false, 3, 4);
    if (name == "blocks.1.attention.q.weight") add(group, true, 8, 16);
    if (name == "blocks.1.attention.k.weight" || name == "blocks.1.attention.v.weight")
      add(group, true, 4, 8);
    if (name == "blocks.1.attention.o.weight") add(group, false, 8, 16);
  });
  EXPECT_NEAR(scores.channels[1][3], std::sqrt(channel), 1e-9);
  EXPECT_NEAR(scores.groups[1][1], std::sqrt(group), 1e-9);
}

TEST(PruningScores, MixturesOfExpertsHaveNoneOfChannels) {
  model::ModelConfig config = model::find_family("mixtral").value()->defaults();
  config.vocab_size = 61;
  config.layers = 2;
  config.hidden = 16;
  config.intermediate = 20;
  config.heads = 4;
  config.kv_heads = 2;
  config.max_positions = 64;
  config.experts = 4;
  config.experts_per_token = 2;
  const model::Decoder model = model::Decoder::create(config, 5).value();
  const PruningScores scores =
      scores_over_text(model, counting(40), {.context = 16}, null_progress()).value();
  EXPECT_TRUE(scores.channels[0].empty());
  EXPECT_TRUE(scores_of_weights(model).channels[0].empty());
  EXPECT_EQ(scores.groups[0].size(), 2u);
}

}  // namespace
}  // namespace quern::eval
