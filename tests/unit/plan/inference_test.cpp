#include "plan/inference.h"

#include <gtest/gtest.h>

#include "model/presets.h"
#include "unit/plan/preset.h"

namespace quern::plan {
namespace {

using test::preset;

TEST(Inference, BitsPerWeightAreThoseOfTheFormats) {
  EXPECT_DOUBLE_EQ(kQ8_0.bits(), 8.5);
  EXPECT_DOUBLE_EQ(kQ6K.bits(), 6.5625);
  EXPECT_DOUBLE_EQ(kQ4K.bits(), 4.5);
  EXPECT_EQ(kQ4K.size(3, 257), 3 * 2 * 144) << "a row takes whole blocks";
}

TEST(Inference, WeightsOfLlama3) {
  const model::Decoder model = preset("llama-3-8b");
  const int64_t vectors = 65 * 4096, matrices = 8030261248 - vectors;
  EXPECT_EQ(weight_bytes(model, kBf16), 2 * matrices + 4 * vectors);
  EXPECT_EQ(weight_bytes(model, kQ4K), matrices / 256 * 144 + 4 * vectors);
  EXPECT_EQ(step_bytes(model, kBf16), weight_bytes(model, kBf16) - 2 * int64_t{128256} * 4096)
      << "the embedding is looked up, not read";
}

TEST(Inference, ATiedHeadIsReadAndPositionsAreNot) {
  const model::Decoder model = preset("gpt2");
  EXPECT_EQ(weight_bytes(model, kF32) - step_bytes(model, kF32), 4 * 1024 * 768);
}

// 128 KiB per token: 2 * 32 layers * 8 heads * 128 channels * 2 bytes.
TEST(Inference, CacheOfLlama3) {
  const model::Decoder model = preset("llama-3-8b");
  EXPECT_EQ(cache_bytes(model, 64, kBf16), 64 * 128 << 10);
  EXPECT_EQ(cache_bytes(model, 1, kBf16), 64 * 128 << 10) << "whole blocks";
  EXPECT_EQ(cache_bytes(model, 8192, kBf16), int64_t{1} << 30);
  EXPECT_EQ(cache_bytes(model, 64, kQ8_0), 64 * 2 * 32 * 1024 / 32 * 34);
}

// The engine's own cache is of the size that is planned, with and without windows.
TEST(Inference, CacheIsWhatTheEngineAllocates) {
  model::ModelConfig windowed = model::find_preset("gpt2")->config;
  windowed.window = 300;
  windowed.full_layers = {0, 5};
  for (const auto& config : {model::find_preset("gpt2")->config, windowed}) {
    model::Decoder model = model::Decoder::create(config).value();
    for (const Precision& precision : cache_precisions()) {
      model.set_cache_dtype(*dtype_from_name(precision.name));
      const nn::ContiguousKvCache cache = model.make_cache({.capacity = 1000, .chunk = model::kPromptChunk});
      EXPECT_EQ(cache.bytes(), cache_bytes(model, 1000, precision)) << precision.name;
    }
  }
  const model::Decoder model = model::Decoder::create(windowed).value();
  // 16 blocks of 64 tokens in 2 layers; 300 + 512 - 2 tokens take 13 and one more in the others.
  EXPECT_EQ(cache_bytes(model, 1000, kF32), (2 * 16 + 10 * 14) * 64 * 2 * 768 * 4);
}

}  // namespace
}  // namespace quern::plan
