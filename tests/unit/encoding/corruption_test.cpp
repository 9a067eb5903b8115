// How texts are corrupted: against the numbers of transformers' script (tools/goldens/denoising.py), and what holds of any.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "encoding/span_corruption.h"
#include "encoding/text_infilling.h"
#include "support/golden.h"

namespace quern::encoding {
namespace {

nlohmann::json recorded() { return read_json_file(test::kGolden / "denoising" / "spans.json").value(); }

TEST(SpanCorruption, DrawsTheMasksOfTheReference) {
  const nlohmann::json all = recorded();
  int64_t compared = 0;
  for (const auto& wanted : all.at("masks")) {
    const auto draws = wanted.at("draws").get<std::vector<uint64_t>>();
    size_t next = 0;
    const std::vector<char> mask = noise_mask(
        wanted.at("length").get<int64_t>(),
        {wanted.at("density").get<double>(), wanted.at("mean_span").get<double>()}, [&](uint64_t bound) {
          EXPECT_LT(next, draws.size());
          EXPECT_LT(draws[next], bound);
          return draws[next++];
        });
    EXPECT_EQ(next, draws.size());
    std::string text;
    for (const char noise : mask) text += noise != 0 ? '1' : '0';
    EXPECT_EQ(text, wanted.at("mask").get<std::string>());
    ++compared;
  }
  EXPECT_EQ(compared, 9);
}

TEST(SpanCorruption, HasTheLengthsOfTheReference) {
  const nlohmann::json all = recorded();
  ASSERT_EQ(all.at("lengths").size(), 21U);
  for (const auto& wanted : all.at("lengths")) {
    const SpanOptions options{wanted.at("density").get<double>(), wanted.at("mean_span").get<double>()};
    // There, an end of a text is counted in both.
    const int64_t tokens = longest_text(wanted.at("inputs").get<int64_t>() - 1, options);
    EXPECT_EQ(tokens, wanted.at("tokens").get<int64_t>());
    EXPECT_EQ(span_counts(tokens, options).target + 1, wanted.at("targets").get<int64_t>());
  }
}

std::vector<int32_t> numbered(int64_t count) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i);
  return tokens;
}

// Every token is kept or hidden, once; sentinels stand in order, where the spans were.
TEST(SpanCorruption, LosesNothing) {
  constexpr int32_t kFirst = 100000;  // sentinels, descending as T5's
  std::vector<int32_t> sentinels;
  for (int32_t i = 0; i < 200; ++i) sentinels.push_back(kFirst - i);
  const SpanOptions settings[] = {{0.15, 3.0}, {0.5, 1.0}, {0.9, 10.0}, {0.01, 1.0}};
  for (const SpanOptions& options : settings) {
    for (int64_t length = 0; length < 220; ++length) {
      Rng rng(7, static_cast<uint64_t>(length));
      const std::vector<int32_t> tokens = numbered(length);
      const std::vector<char> noise =
          noise_mask(length, options, [&](uint64_t bound) { return rng.below(bound); });
      const SpanCounts counts = span_counts(length, options);
      ASSERT_EQ(static_cast<int64_t>(noise.size()), length);
      ASSERT_EQ(std::ranges::count(noise, 1), counts.noise);
      const TextPair pair = corrupt_spans(tokens, noise, sentinels);
      EXPECT_EQ(static_cast<int64_t>(pair.source.size()), counts.input);
      EXPECT_EQ(static_cast<int64_t>(pair.target.size()), counts.target);
      // Spans of the target in place of the sentinels of the source are the text.
      std::vector<int32_t> whole;
      int32_t expected = kFirst;
      size_t at = 0;
      for (const int32_t token : pair.source) {
        if (token < 1000) {
          whole.push_back(token);
          continue;
        }
        ASSERT_EQ(token, expected);
        ASSERT_EQ(pair.target.at(at), expected--);
        size_t hidden = 0;
        for (++at; at < pair.target.size() && pair.target[at] < 1000; ++hidden)
          whole.push_back(pair.target[at++]);
        EXPECT_GT(hidden, 0U);
      }
      EXPECT_EQ(at, pair.target.size());
      EXPECT_EQ(whole, tokens);
      if (length < 2) {
        EXPECT_EQ(counts.noise, 0);
        continue;
      }
      EXPECT_NEAR(static_cast<double>(counts.noise), options.density * static_cast<double>(length), 1.0);
      EXPECT_EQ(noise.front(), 0);
      EXPECT_EQ(noise.back(), 1);
    }
  }
}

TEST(SpanCorruption, HidesAllPlacesAlike) {
  std::vector<int> hidden(20, 0);
  for (uint64_t i = 0; i < 4000; ++i) {
    Rng rng(3, i);
    const auto mask = noise_mask(20, {0.3, 2.0}, [&](uint64_t bound) { return rng.below(bound); });
    for (size_t t = 0; t < mask.size(); ++t) hidden[t] += mask[t];
  }
  // But for the first, which is kept, and the last, which is not.
  for (size_t t = 3; t < 17; ++t) EXPECT_NEAR(hidden[t], 0.3 * 4000, 0.12 * 4000) << t;
  EXPECT_EQ(hidden.front(), 0);
  EXPECT_EQ(hidden.back(), 4000);
}

TEST(TextInfilling, LosesNothing) {
  constexpr int32_t kMask = 5000;
  const InfillOptions settings[] = {{0.3, 3.0}, {0.9, 1.0}, {0.01, 3.0}, {0.5, 30.0}};
  for (const InfillOptions& options : settings) {
    for (int64_t length = 0; length < 200; ++length) {
      Rng rng(8, static_cast<uint64_t>(length));
      const std::vector<HiddenSpan> spans = hidden_spans(length, options, rng);
      int64_t hidden = 0, after = -1;
      for (const HiddenSpan& span : spans) {
        EXPECT_GT(span.begin, after) << "spans touch";
        EXPECT_LE(span.begin, span.end);
        hidden += span.end - span.begin;
        after = span.end;
      }
      EXPECT_LE(after, length);
      if (length == 0) {
        EXPECT_TRUE(spans.empty());
        continue;
      }
      EXPECT_EQ(hidden, std::max<int64_t>(1, std::llround(options.share * static_cast<double>(length))));
      const std::vector<int32_t> tokens = numbered(length), masked = with_masks(tokens, spans, kMask);
      EXPECT_LE(masked.size(), tokens.size());
      EXPECT_EQ(std::ranges::count(masked, kMask), static_cast<int64_t>(spans.size()));
      std::vector<int32_t> whole;
      size_t next = 0;
      for (const int32_t token : masked) {
        if (token != kMask) {
          whole.push_back(token);
          continue;
        }
        for (int64_t i = spans[next].begin; i < spans[next].end; ++i)
          whole.push_back(tokens[static_cast<size_t>(i)]);
        ++next;
      }
      EXPECT_EQ(whole, tokens);
    }
  }
}

TEST(TextInfilling, SpansAreOfPoisson) {
  // P(k <= 2) of mean 3 is 0.4232, of P(k <= 0) 0.0498.
  EXPECT_EQ(poisson_quantile(3.0, 0.0), 0);
  EXPECT_EQ(poisson_quantile(3.0, 0.0497), 0);
  EXPECT_EQ(poisson_quantile(3.0, 0.0499), 1);
  EXPECT_EQ(poisson_quantile(3.0, 0.4231), 2);
  EXPECT_EQ(poisson_quantile(3.0, 0.4233), 3);
  EXPECT_LT(poisson_quantile(3.0, 1.0 - 0x1p-53), 100);
  // Of long texts, but for the last span, lengths are as drawn; some are insertions.
  std::map<int64_t, int> seen;
  int all = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    Rng rng(4, i);
    const std::vector<HiddenSpan> spans = hidden_spans(600, {0.3, 3.0}, rng);
    for (const HiddenSpan& span : spans) ++seen[span.end - span.begin];
    all += static_cast<int>(spans.size());
  }
  EXPECT_NEAR(static_cast<double>(seen[0]) / all, 0.0498, 0.01);
  EXPECT_NEAR(static_cast<double>(seen[3]) / all, 0.2240, 0.02);
}

TEST(TextInfilling, ShufflesSentences) {
  std::vector<char> ends(50, 0);
  ends[9] = ends[8] = 1;
  const std::vector<int32_t> text{1, 2, 9, 3, 9, 8, 4, 5, 6, 9, 7};
  const std::set<std::vector<int32_t>> sentences{{1, 2, 9}, {3, 9, 8}, {4, 5, 6, 9}, {7}};
  std::set<std::vector<int32_t>> orders;
  for (uint64_t i = 0; i < 500; ++i) {
    Rng rng(5, i);
    const std::vector<int32_t> shuffled = shuffle_sentences(text, ends, rng);
    orders.insert(shuffled);
    std::vector<int32_t> sorted = shuffled, before = text;
    std::ranges::sort(sorted);
    std::ranges::sort(before);
    ASSERT_EQ(sorted, before);
    for (const auto& sentence : sentences)
      EXPECT_NE(std::search(shuffled.begin(), shuffled.end(), sentence.begin(), sentence.end()),
                shuffled.end())
          << "a sentence was cut";
  }
  EXPECT_EQ(orders.size(), 24U);
  Rng rng(5, 1);
  EXPECT_TRUE(shuffle_sentences({}, ends, rng).empty());
}

}  // namespace
}  // namespace quern::encoding
