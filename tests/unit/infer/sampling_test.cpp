#include "infer/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace quern::infer {
namespace {

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Which tokens ever come out in 2,000 draws.
std::set<int32_t> support(SamplingOptions options, const std::vector<float>& logits,
                          const TokenHistory& history = {}) {
  Sampler sampler(options);
  std::set<int32_t> seen;
  for (int i = 0; i < 2000; ++i) seen.insert(sampler.sample(logits, history).id);
  return seen;
}

TEST(Sampler, ZeroTemperatureIsArgmaxWithSmallestIdOnTies) {
  Sampler sampler({.temperature = 0.0});
  const std::vector<float> logits = {1.0f, 3.0f, 3.0f, -2.0f};
  EXPECT_EQ(sampler.sample(logits, {}).id, 1);
}

TEST(Sampler, FrequenciesFollowTheDistribution) {
  const std::vector<double> p = {0.5, 0.25, 0.15, 0.1};
  Sampler sampler({.seed = 11});
  std::map<int32_t, int> counts;
  constexpr int kDraws = 40000;
  for (int i = 0; i < kDraws; ++i) ++counts[sampler.sample(logits_of(p), {}).id];
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_NEAR(counts[static_cast<int32_t>(i)] / static_cast<double>(kDraws), p[i],
                5.0 * std::sqrt(p[i] / kDraws));
  }
}

TEST(Sampler, TemperatureSharpens) {
  // At temperature 0.5 probabilities are squared: 0.8, 0.2 -> 16 : 1.
  Sampler sampler({.temperature = 0.5, .seed = 1});
  int second = 0;
  for (int i = 0; i < 17000; ++i) second += sampler.sample(logits_of({0.8, 0.2}), {}).id;
  EXPECT_NEAR(second, 1000, 130);
}

TEST(Sampler, TruncationsKeepWhatTheyShould) {
  const auto logits = logits_of({0.4, 0.3, 0.2, 0.1});
  EXPECT_EQ(support({.top_k = 2}, logits), (std::set<int32_t>{0, 1}));
  EXPECT_EQ(support({.top_p = 0.65}, logits), (std::set<int32_t>{0, 1}));
  EXPECT_EQ(support({.top_p = 0.75}, logits), (std::set<int32_t>{0, 1, 2}));
  EXPECT_EQ(support({.top_p = 0.0}, logits), (std::set<int32_t>{0}));
  EXPECT_EQ(support({.min_p = 0.45}, logits), (std::set<int32_t>{0, 1, 2}));
  // Entropy 1.28: the token at 0.3 (surprise 1.20) is the most typical, then 0.2 at 1.61, then 0.4 at 0.92.
  EXPECT_EQ(support({.typical_p = 0.25}, logits), (std::set<int32_t>{1}));
  EXPECT_EQ(support({.typical_p = 0.45}, logits), (std::set<int32_t>{1, 2}));
}

TEST(Sampler, TopPActsOnWhatTopKLeft) {
  // top-k 2 leaves 0.4, 0.3 = 0.571, 0.429 renormalised: 0.55 of that is the first alone.
  EXPECT_EQ(support({.top_k = 2, .top_p = 0.55}, logits_of({0.4, 0.3, 0.2, 0.1})), (std::set<int32_t>{0}));
}

TEST(Sampler, PenaltiesFollowTheirDefinitions) {
  TokenHistory history;
  history.add_prompt(std::vector<int32_t>{0});
  history.add_output(1);
  history.add_output(1);
  const std::vector<float> logits = {2.0f, 2.1f, -1.0f};
  const auto greedy = [&](SamplingOptions options) {
    options.temperature = 0.0;
    return Sampler(options).sample(logits, history).id;
  };
  EXPECT_EQ(greedy({}), 1);
  EXPECT_EQ(greedy({.presence_penalty = 0.2}), 0);    // 2.1 - 0.2 < 2.0, the prompt's token is untouched
  EXPECT_EQ(greedy({.frequency_penalty = 0.04}), 1);  // 2.1 - 0.08
  EXPECT_EQ(greedy({.frequency_penalty = 0.06}), 0);  // 2.1 - 0.12
  TokenHistory negative;
  negative.add_prompt(std::vector<int32_t>{0, 2});
  const std::vector<float> low = {-1.0f, -1.5f, -3.0f};
  EXPECT_EQ((Sampler({.temperature = 0.0, .repetition_penalty = 2.0}).sample(low, negative).id),
            1);  // -1 becomes -2
}

TEST(Sampler, LogprobIsThatOfTheModel) {
  Sampler sampler({.temperature = 0.3, .top_k = 1});
  EXPECT_NEAR(sampler.sample(logits_of({0.4, 0.3, 0.3}), {}).logprob, std::log(0.4), 1e-6);
}

TEST(Sampler, ForbiddenTokensNeverComeOut) {
  const std::vector<float> logits = {0.0f, -INFINITY, 0.0f};
  EXPECT_EQ(support({}, logits), (std::set<int32_t>{0, 2}));
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnError) {
  for (const double temperature : {0.0, 1.0}) {
    for (const std::vector<float>& logits : {std::vector<float>{1.0f, NAN, 2.0f},
                                             {NAN, NAN},
                                             {NAN, 1.0f},
                                             {INFINITY, 1.0f},
                                             {-INFINITY, -INFINITY}}) {
      Sampler sampler({.temperature = temperature, .top_k = 1, .top_p = 0.5});
      EXPECT_THROW(sampler.sample(logits, {}), Exception);
    }
  }
}

TEST(Sampler, SeedAndStreamDecide) {
  const std::vector<float> flat(1000, 0.0f);
  const auto draw = [&](uint64_t seed, uint64_t stream) {
    Sampler sampler({.seed = seed}, stream);
    std::vector<int32_t> ids;
    for (int i = 0; i < 8; ++i) ids.push_back(sampler.sample(flat, {}).id);
    return ids;
  };
  EXPECT_EQ(draw(1, 0), draw(1, 0));
  EXPECT_NE(draw(1, 0), draw(2, 0));
  EXPECT_NE(draw(1, 0), draw(1, 1));
}

}  // namespace
}  // namespace quern::infer
