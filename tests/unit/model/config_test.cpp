#include "model/config.h"

#include <gtest/gtest.h>

#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

std::string error_of(void (*change)(ModelConfig&)) {
  ModelConfig config = tiny_config("gpt2");
  change(config);
  const auto valid = config.validate();
  return valid.ok() ? "" : valid.error().message;
}

TEST(ModelConfig, DerivesSizesThatAreLeftOut) {
  ModelConfig config = tiny_config("llama");
  config.kv_heads = config.intermediate = 0;
  const ModelConfig full = config.resolved();
  EXPECT_EQ(full.kv_heads, 4);
  EXPECT_EQ(full.head_dim, 4);
  EXPECT_EQ(full.intermediate, 64);
  EXPECT_EQ(full.rope.rotary, 4);
  EXPECT_EQ(full.rope.max_positions, config.max_positions);
}

TEST(ModelConfig, ForgetsChoicesWithoutEffect) {
  ModelConfig config = tiny_config("gemma3_text");
  config.window = 4;
  config.full_layers = {0, 1};
  config.nope_layers = {0};
  const ModelConfig full = config.resolved();
  EXPECT_EQ(full.window, 0);
  EXPECT_TRUE(full.full_layers.empty());
  EXPECT_EQ(full.local_rope_theta, 0.0);
  EXPECT_EQ(full.embedding_scale, 4.0);
  config.positions = Positions::alibi;
  EXPECT_TRUE(config.resolved().nope_layers.empty());
}

TEST(ModelConfig, SaysWhichShapesCannotBe) {
  EXPECT_EQ(error_of([](ModelConfig&) {}), "");
  EXPECT_EQ(error_of([](ModelConfig& c) { c.hidden = 18; }),
            "model config: hidden (18) must be a multiple of heads (4) unless head_dim is given");
  EXPECT_EQ(error_of([](ModelConfig& c) { c.kv_heads = 3; }),
            "model config: heads (4) must be a multiple of kv_heads (3)");
  EXPECT_EQ(error_of([](ModelConfig& c) { c.vocab_size = 0; }),
            "model config: vocab_size must be in [1, 2^24], got 0");
  EXPECT_EQ(error_of([](ModelConfig& c) { c.dropout = 1.0; }),
            "model config: dropout must be in [0, 1), got 1");
  EXPECT_NE(error_of([](ModelConfig& c) { c.norm_eps = std::nan(""); }), "");
  EXPECT_EQ(error_of([](ModelConfig& c) {
              c.full_layers = {0, 2};
            }),
            "model config: full_layers must be ascending layers below 2, got 2 after 0");
  EXPECT_EQ(error_of([](ModelConfig& c) {
              c.nope_layers = {1, 1};
            }),
            "model config: nope_layers must be ascending layers below 2, got 1 after 1");
  EXPECT_NE(error_of([](ModelConfig& c) {
              c.positions = Positions::rope;
              c.rope.rotary = 6;
            }),
            "");
  EXPECT_NE(error_of([](ModelConfig& c) { c.heads = c.head_dim = c.kv_heads = 1 << 13; }), "");
}

TEST(ModelConfig, LoadsFromYaml) {
  ModelConfig config;
  Fields fields = fields_of(config);
  const auto loaded = fields.load_yaml(
      "layers: 3\nnorm: rms\npositions: rope\nrope: {theta: 500000, scaling: yarn}\n"
      "eos_tokens: [1, 2]\ndtype: bf16\n",
      "test.yaml");
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_EQ(config.layers, 3);
  EXPECT_EQ(config.norm, ops::NormKind::rms);
  EXPECT_EQ(config.rope.theta, 500000);
  EXPECT_EQ(config.rope.scaling, ops::RopeScaling::yarn);
  EXPECT_EQ(config.eos_tokens, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(config.dtype, DType::bf16);
}

}  // namespace
}  // namespace quern::model
