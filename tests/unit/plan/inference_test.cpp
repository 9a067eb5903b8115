#include "plan/inference.h"

#include <gtest/gtest.h>

#include "model/presets.h"

namespace quern::plan {
namespace {

model::Decoder preset(std::string_view name) {
  return model::Decoder::create(model::find_preset(name)->config).value();
}

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
  EXPECT_EQ(cache_bytes(model, 1, kBf16), 128 << 10);
  EXPECT_EQ(cache_bytes(model, 8192, kBf16), int64_t{1} << 30);
  EXPECT_EQ(cache_bytes(model, 1, kQ8_0), 2 * 32 * 1024 / 32 * 34);
}

// The engine's own cache is of the size that is planned.
TEST(Inference, CacheIsWhatTheEngineAllocates) {
  model::Decoder model = preset("gpt2");
  const int64_t before = memory_stats().live;
  const nn::ContiguousKvCache cache = model.make_cache(2, 64);
  EXPECT_EQ(memory_stats().live - before, 2 * cache_bytes(model, 64, kF32));
}

}  // namespace
}  // namespace quern::plan
