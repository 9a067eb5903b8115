#include "infer/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
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
std::set<int32_t> support(const SamplingOptions& options, const std::vector<float>& logits) {
  Sampler sampler(options);
  std::set<int32_t> seen;
  for (int i = 0; i < 2000; ++i) seen.insert(sampler.sample(logits).id);
  return seen;
}

TEST(Sampler, ZeroTemperatureIsArgmaxWithSmallestIdOnTies) {
  Sampler sampler({.temperature = 0.0});
  const std::vector<float> logits = {1.0f, 3.0f, 3.0f, -2.0f};
  EXPECT_EQ(sampler.sample(logits).id, 1);
}

TEST(Sampler, FrequenciesFollowTheDistribution) {
  const std::vector<double> p = {0.5, 0.25, 0.15, 0.1};
  Sampler sampler({.seed = 11});
  std::map<int32_t, int> counts;
  constexpr int kDraws = 40000;
  for (int i = 0; i < kDraws; ++i) ++counts[sampler.sample(logits_of(p)).id];
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_NEAR(counts[static_cast<int32_t>(i)] / static_cast<double>(kDraws), p[i],
                5.0 * std::sqrt(p[i] / kDraws));
  }
}

TEST(Sampler, TemperatureSharpens) {
  // At temperature 0.5 probabilities are squared: 0.8, 0.2 -> 16 : 1.
  Sampler sampler({.temperature = 0.5, .seed = 1});
  int second = 0;
  for (int i = 0; i < 17000; ++i) second += sampler.sample(logits_of({0.8, 0.2})).id;
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
  const std::vector<int32_t> tokens = {0, 1, 1};  // the prompt is 0
  const std::vector<float> logits = {2.0f, 2.1f, -1.0f};
  const auto greedy = [&](SamplingOptions options) {
    options.temperature = 0.0;
    return Sampler(options).sample(logits, tokens, 2).id;
  };
  EXPECT_EQ(greedy({}), 1);
  EXPECT_EQ(greedy({.presence_penalty = 0.2}), 0);    // 2.1 - 0.2 < 2.0, the prompt's token is untouched
  EXPECT_EQ(greedy({.frequency_penalty = 0.04}), 1);  // 2.1 - 0.08
  EXPECT_EQ(greedy({.frequency_penalty = 0.06}), 0);  // 2.1 - 0.12
  const std::vector<float> low = {-1.0f, -1.5f, -3.0f};
  const std::vector<int32_t> prompt = {0, 2};
  EXPECT_EQ((Sampler({.temperature = 0.0, .repetition_penalty = 2.0}).sample(low, prompt, 0).id),
            1);  // -1 becomes -2
}

TEST(Sampler, LogprobIsThatOfTheModel) {
  Sampler sampler({.temperature = 0.3, .top_k = 1});
  EXPECT_NEAR(sampler.sample(logits_of({0.4, 0.3, 0.3})).logprob, std::log(0.4), 1e-6);
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
      EXPECT_THROW(sampler.sample(logits), Exception);
    }
  }
}

TEST(Sampler, SeedAndStreamDecide) {
  const std::vector<float> flat(1000, 0.0f);
  const auto draw = [&](uint64_t seed, uint64_t stream) {
    Sampler sampler({.seed = seed}, stream);
    std::vector<int32_t> ids;
    for (int i = 0; i < 8; ++i) ids.push_back(sampler.sample(flat).id);
    return ids;
  };
  EXPECT_EQ(draw(1, 0), draw(1, 0));
  EXPECT_NE(draw(1, 0), draw(2, 0));
  EXPECT_NE(draw(1, 0), draw(1, 1));
}

// What truncations leave of a large vocabulary, by sorting all of it.
int32_t choose_naively(const std::vector<float>& logits, const SamplingOptions& options, double place) {
  std::vector<std::pair<double, int32_t>> kept;  // minus the logit, id
  for (size_t i = 0; i < logits.size(); ++i) kept.emplace_back(-logits[i], static_cast<int32_t>(i));
  std::ranges::sort(kept);
  const auto weight = [&](size_t i) {
    return std::exp((kept[0].first - kept[i].first) / options.temperature);
  };
  const auto sum = [&] {
    double all = 0.0;
    for (size_t i = 0; i < kept.size(); ++i) all += weight(i);
    return all;
  };
  if (options.top_k > 0) kept.resize(static_cast<size_t>(options.top_k));
  double share = 0.0;
  size_t count = 0;
  for (const double wanted = options.top_p * sum(); count < kept.size() && share < wanted;)
    share += weight(count++);
  kept.resize(std::max<size_t>(count, 1));
  while (weight(kept.size() - 1) < options.min_p) kept.pop_back();
  if (options.top_k == 0 && options.top_p == 1.0) {  // in order of ids
    const double top = kept[0].first;
    std::ranges::sort(kept, {}, &std::pair<double, int32_t>::second);
    double total = 0.0;
    for (const auto& [cost, id] : kept) total += std::exp((top - cost) / options.temperature);
    double remaining = place * total;
    for (const auto& [cost, id] : kept) {
      remaining -= std::exp((top - cost) / options.temperature);
      if (remaining < 0.0) return id;
    }
    return kept.back().second;
  }
  double remaining = place * sum();
  for (size_t i = 0; i < kept.size(); ++i) {
    remaining -= weight(i);
    if (remaining < 0.0) return kept[i].second;
  }
  return kept.back().second;
}

TEST(Sampler, OfALargeVocabularyItChoosesAsIfAllWereSorted) {
  Rng numbers(4, 1);
  int differ = 0, draws = 0;
  for (const double spread : {0.01, 1.0, 4.0, 12.0}) {
    std::vector<float> logits(6000);
    for (float& logit : logits) logit = static_cast<float>(spread * numbers.normal());
    for (const SamplingOptions& options :
         {SamplingOptions{}, SamplingOptions{.temperature = 0.7, .top_p = 0.9}, SamplingOptions{.top_k = 50},
          SamplingOptions{.temperature = 1.8, .top_k = 3000, .top_p = 0.97},
          SamplingOptions{.top_p = 0.999999}, SamplingOptions{.temperature = 0.5, .min_p = 0.05},
          SamplingOptions{.top_p = 0.95, .min_p = 0.3}, SamplingOptions{.top_k = 6000},
          SamplingOptions{.min_p = 1e-9}}) {
      Sampler sampler(options);
      Rng same(options.seed, 0);
      for (int i = 0; i < 20; ++i, ++draws)
        differ += sampler.sample(logits).id != choose_naively(logits, options, same.uniform());
    }
  }
  EXPECT_LE(differ, draws / 100);  // where a draw falls on the rounding of a limit
}

TEST(Sampler, BiasMovesAndForbids) {
  const std::vector<float> logits = {0.0f, 1.0f, 2.0f};
  const SamplingOptions options{.temperature = 0.0,
                                .logit_bias = {{0, 5.0f}, {2, -100.0f}, {99, 1.0f}, {-1, 1.0f}}};
  EXPECT_EQ(Sampler(options).sample(logits).id, 0);
  EXPECT_EQ(support({.logit_bias = {{1, -INFINITY}}}, logits), (std::set<int32_t>{0, 2}));
  // The log-probability is that of the model, whatever the bias.
  EXPECT_NEAR(Sampler(options).sample(logits).logprob, -log_sum_exp(logits), 1e-6);
}

TEST(Sampler, PenaltiesOfAWindowForgetWhatCameBefore) {
  const std::vector<float> logits = {2.0f, 1.9f, 1.8f};
  const std::vector<int32_t> tokens = {0, 1, 2, 2};
  const auto greedy = [&](int64_t window) {
    return Sampler({.temperature = 0.0, .presence_penalty = 1.0, .repeat_last_n = window})
        .sample(logits, tokens, 4)
        .id;
  };
  EXPECT_EQ(greedy(-1), 0);
  EXPECT_EQ(greedy(3), 0);
  EXPECT_EQ(greedy(0), 0);
  const std::vector<int32_t> again = {0, 1, 0};
  EXPECT_EQ(
      Sampler({.temperature = 0.0, .presence_penalty = 1.0, .repeat_last_n = 1}).sample(logits, again, 3).id,
      1);
  EXPECT_EQ(
      Sampler({.temperature = 0.0, .presence_penalty = 1.0, .repeat_last_n = 2}).sample(logits, again, 3).id,
      2);
}

TEST(Sampler, TopNSigmaKeepsLogitsNearTheLargest) {
  // Mean 0, standard deviation 2 of what may come: 3 stays from 4 on with one deviation, -4 never.
  const std::vector<float> logits = {4.0f, 3.0f, 1.0f, -4.0f, -INFINITY};
  EXPECT_EQ(support({.temperature = 5.0, .top_n_sigma = 0.5}, logits), (std::set<int32_t>{0, 1}));
  EXPECT_EQ(support({.temperature = 5.0, .top_n_sigma = 1.0}, logits), (std::set<int32_t>{0, 1, 2}));
}

TEST(Sampler, XtcExcludesAllTopChoicesButTheLeast) {
  const auto logits = logits_of({0.4, 0.3, 0.2, 0.1});
  EXPECT_EQ(support({.xtc_probability = 1.0, .xtc_threshold = 0.15}, logits), (std::set<int32_t>{2, 3}));
  EXPECT_EQ(support({.xtc_probability = 1.0, .xtc_threshold = 0.35}, logits),
            (std::set<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(support({.xtc_probability = 0.5, .xtc_threshold = 0.15}, logits),
            (std::set<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(support({.top_k = 2, .xtc_probability = 1.0, .xtc_threshold = 0.1}, logits),
            (std::set<int32_t>{1}));
}

// A Zipf distribution of exponent 1.2 over 2,000 tokens.
std::vector<double> zipf() {
  std::vector<double> p;
  for (int i = 1; i <= 2000; ++i) p.push_back(std::pow(i, -1.2));
  double sum = 0.0;
  for (const double each : p) sum += each;
  for (double& each : p) each /= sum;
  return p;
}

TEST(Sampler, MirostatHoldsTheSurprise) {
  const std::vector<double> p = zipf();
  const std::vector<float> logits = logits_of(p);
  for (const double tau : {1.5, 3.0, 5.0}) {
    Sampler sampler({.mirostat = 2, .mirostat_tau = tau, .seed = 3});
    double limit = 2.0 * tau, surprises = 0.0;
    constexpr int kTokens = 1500;
    for (int i = 0; i < kTokens; ++i) {
      double kept = 0.0;
      for (const double each : p) kept += -std::log2(each) <= limit ? each : 0.0;
      kept = std::max(kept, p[0]);
      const double own = p[static_cast<size_t>(sampler.sample(logits).id)];
      ASSERT_TRUE(-std::log2(own) <= limit + 1e-4 || own == p[0]) << i;
      const double surprise = -std::log2(own / kept);
      limit -= 0.1 * (surprise - tau);
      surprises += surprise;
    }
    EXPECT_NEAR(surprises / kTokens, tau, 0.1);
  }
}

TEST(Sampler, TheFirstMirostatKeepsAsManyTokensAsSurpriseLess) {
  // Of a Zipf distribution of exponent s over N tokens, the k-th surprises by log2 of k^s (1 - N^(1-s)) / (s - 1).
  const std::vector<double> p = zipf();
  const std::vector<float> logits = logits_of(p);
  const double tau = 2.0, limit = 2.0 * tau;
  const auto k =
      static_cast<int32_t>(std::pow(0.2 * std::exp2(limit) / (1.0 - std::pow(2000.0, -0.2)), 1.0 / 1.2));
  std::set<int32_t> first;
  for (uint64_t seed = 0; seed < 3000; ++seed)
    first.insert(Sampler({.mirostat = 1, .mirostat_tau = tau, .seed = seed}).sample(logits).id);
  EXPECT_EQ(static_cast<int32_t>(first.size()), k);
  EXPECT_EQ(*first.rbegin(), k - 1);
}

TEST(Repetitions, FindsWhatWouldComeAgain) {
  using Found = std::vector<std::pair<int32_t, int64_t>>;
  const DryOptions two{.allowed = 2};
  EXPECT_EQ(repetitions(std::vector<int32_t>{1, 2, 3, 9, 1, 2}, two), (Found{{3, 2}}));
  EXPECT_EQ(repetitions(std::vector<int32_t>{1, 2, 3, 9, 5, 2}, two), Found());
  EXPECT_EQ(repetitions(std::vector<int32_t>{7, 1, 2, 3, 1, 2, 4, 7, 1, 2}, two), (Found{{3, 3}, {4, 2}}));
  EXPECT_EQ(repetitions(std::vector<int32_t>{5, 5, 5, 5}, two), (Found{{5, 3}}));
  EXPECT_EQ(repetitions(std::vector<int32_t>{}, two), Found());
  EXPECT_EQ(repetitions(std::vector<int32_t>{1, 2, 3, 9, 1, 2}, {.allowed = 2, .last_n = 5}), Found());
  EXPECT_EQ(repetitions(std::vector<int32_t>{1, 2, 3, 9, 1, 2}, {.allowed = 2, .breakers = {1}}), Found());
}

TEST(Repetitions, AgreeWithAPlainSearch) {
  Rng rng(8, 2);
  for (int round = 0; round < 300; ++round) {
    std::vector<int32_t> tokens;
    for (uint64_t i = rng.below(40); i > 0; --i) tokens.push_back(static_cast<int32_t>(rng.below(3)));
    DryOptions options{.allowed = 1 + static_cast<int64_t>(rng.below(4))};
    if (rng.below(2) == 0) options.breakers = {2};
    std::map<int32_t, int64_t> longest;
    for (size_t at = 0; at < tokens.size(); ++at) {
      size_t length = 0;
      while (length < at && tokens[at - 1 - length] == tokens[tokens.size() - 1 - length] &&
             (options.breakers.empty() || tokens[at - 1 - length] != 2)) {
        ++length;
      }
      if (static_cast<int64_t>(length) >= options.allowed)
        longest[tokens[at]] = std::max(longest[tokens[at]], static_cast<int64_t>(length));
    }
    EXPECT_EQ(repetitions(tokens, options),
              (std::vector<std::pair<int32_t, int64_t>>(longest.begin(), longest.end())));
  }
}

TEST(Sampler, DryDiscouragesRepetitions) {
  const std::vector<int32_t> tokens = {0, 1, 2, 3, 0, 1, 2};
  const std::vector<float> logits = {0.0f, 0.0f, 0.0f, 1.0f};
  const auto greedy = [&](const DryOptions& dry) {
    return Sampler({.temperature = 0.0, .dry = dry}).sample(logits, tokens, 7).id;
  };
  EXPECT_EQ(greedy({}), 3);
  EXPECT_EQ(greedy({.multiplier = 0.5}), 3);                // 0.5 * 1.75^(3 - 2) = 0.875
  EXPECT_EQ(greedy({.multiplier = 0.6}), 0);                // 1.05
  EXPECT_EQ(greedy({.multiplier = 0.6, .allowed = 3}), 3);  // 0.6
}

}  // namespace
}  // namespace quern::infer
