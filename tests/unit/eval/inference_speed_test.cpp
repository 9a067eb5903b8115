#include "eval/inference_speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/infer/scripted_model.h"

namespace quern::eval {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kTokens = 300, kPositions = 24;

// A few bytes of bandwidth are enough here.
InferenceSpeedOptions quick_inference() {
  return {.prompts = {4, 8}, .generate = {3}, .depths = {0, 10}, .repeat = 2, .bandwidth_bytes = 1 << 20};
}

Result<InferenceSpeed> measure(const InferenceSpeedOptions& options) {
  const auto open = []() -> Result<infer::LoadedModel> {
    return infer::LoadedModel{{.tokenizer = infer::byte_tokenizer(false)},
                              infer::scripted_model(std::vector<int32_t>(kPositions, 1), kTokens),
                              std::nullopt};
  };
  return measure_inference_speed(open, options, null_progress());
}

TEST(InferenceSpeed, MeasuresEveryTestAtEveryDepth) {
  const InferenceSpeed speed = measure(quick_inference()).value();
  std::vector<std::string> names;
  for (const SpeedTest& test : speed.tests) {
    names.push_back(test.name());
    EXPECT_EQ(test.tokens_per_second.values.size(), 2u);
    EXPECT_GT(test.tokens_per_second.min(), 0.0);
  }
  EXPECT_THAT(names, testing::ElementsAre("pp4", "pp8", "tg3", "pp4 @ d10", "pp8 @ d10", "tg3 @ d10"));
  EXPECT_EQ(speed.read_bandwidth.values.size(), 2u);
  EXPECT_GT(speed.reread_bandwidth.min(), 0.0);
  EXPECT_GT(speed.peak_bytes, 0u);
  EXPECT_LE(speed.load_seconds, speed.first_token_seconds);
}

TEST(InferenceSpeed, CountsTheBytesOfADecodedToken) {
  const InferenceSpeed speed = measure(quick_inference()).value();
  // One layer with one head of the hidden size: a key and a value of f16.
  EXPECT_EQ(speed.cache_bytes_per_token, 2 * kPositions * 2);
  const SpeedTest &first = speed.tests[2], &deep = speed.tests[5];
  EXPECT_EQ(deep.bytes_per_token - first.bytes_per_token, 10 * speed.cache_bytes_per_token);
  EXPECT_EQ(speed.tests[0].bytes_per_token, 0);
  EXPECT_DOUBLE_EQ(speed.bandwidth_share(first), first.tokens_per_second.median() *
                                                     static_cast<double>(first.bytes_per_token) /
                                                     speed.read_bandwidth.median());
}

TEST(InferenceSpeed, OneRowOfATableIsReadUnlessItIsTheHead) {
  model::ModelConfig config = model::find_family("gpt2").value()->defaults();
  config.vocab_size = 100, config.layers = 1, config.heads = 1, config.hidden = 8, config.max_positions = 16;
  const auto bytes = [&](bool tied) {
    config.tied_embeddings = tied;
    return weight_bytes_per_token(model::Decoder::create(config, 1).value());
  };
  EXPECT_EQ(bytes(false) - bytes(true), 8 * 4);  // beside the head, one row of the embedding
}

TEST(InferenceSpeed, MedianLeastAndMost) {
  const Samples samples{{5.0, 1.0, 3.0, 100.0}};
  EXPECT_EQ(samples.median(), 4.0);
  EXPECT_EQ(samples.min(), 1.0);
  EXPECT_EQ(samples.max(), 100.0);
}

TEST(InferenceSpeed, RefusesWhatCannotBeMeasured) {
  const auto refuses = [](const InferenceSpeedOptions& options, const std::string& message) {
    const auto speed = measure(options);
    ASSERT_FALSE(speed.ok());
    EXPECT_EQ(speed.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(speed.error().message, HasSubstr(message));
  };
  InferenceSpeedOptions options = quick_inference();
  options.depths = {17};
  refuses(options, "pp8 @ d17 needs more than the model's 24 positions");
  options.depths = {INT64_MAX};
  refuses(options, "positions");
  options.depths = {-1};
  refuses(options, "negative");
  refuses({.prompts = {0}, .generate = {0}}, "nothing to measure");
  refuses({.repeat = 0}, "at least 1 repeat");
}

}  // namespace
}  // namespace quern::eval
