#include "data/sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "base/rng.h"

namespace quern::data {
namespace {

// Documents whose tokens are all different, so that a pair names its place.
TokenDataset numbered(const std::vector<int>& lengths) {
  std::vector<std::vector<int32_t>> documents;
  int32_t token = 0;
  for (int length : lengths) {
    auto& document = documents.emplace_back();
    for (int i = 0; i < length; ++i) document.push_back(token++);
  }
  return TokenDataset::from_documents(documents);
}

std::vector<int> random_lengths(int count, int longest, uint64_t seed) {
  Rng rng(seed, 0);
  std::vector<int> lengths;
  for (int i = 0; i < count; ++i)
    lengths.push_back(static_cast<int>(rng.below(static_cast<uint64_t>(longest) + 1)));
  return lengths;
}

std::vector<int32_t> values(const Tensor& tensor) {
  const auto span = tensor.span<int32_t>();
  return {span.begin(), span.end()};
}

std::vector<int32_t> all(const Batch& batch) {
  std::vector<int32_t> result;
  for (const Tensor* tensor : {&batch.tokens, &batch.targets, &batch.document_start, &batch.positions}) {
    const auto part = values(*tensor);
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

BatchSampler sampler_of(const TokenDataset& dataset, SamplerOptions options) {
  return BatchSampler::create(dataset, options).value();
}

// One epoch gives every (token, next token) pair of every document once, whatever the shapes and the window.
TEST(Packed, EveryPairExactlyOncePerEpoch) {
  for (int64_t window : {1, 2, 7, 64}) {
    for (bool shuffle : {false, true}) {
      const auto lengths = random_lengths(60, 50, static_cast<uint64_t>(window));
      const TokenDataset dataset = numbered(lengths);
      SamplerOptions options{.seed = 5, .shuffle = shuffle, .repeat = false, .window = window};
      BatchSampler sampler = sampler_of(dataset, options);
      std::map<int32_t, int> seen;
      Batch batch;
      Rng shapes(3, 0);
      for (;;) {
        const BatchShape shape{1 + static_cast<int64_t>(shapes.below(4)),
                               1 + static_cast<int64_t>(shapes.below(40))};
        if (!sampler.next(shape, batch)) break;
        const auto tokens = values(batch.tokens), targets = values(batch.targets);
        for (size_t i = 0; i < tokens.size(); ++i) {
          if (targets[i] == kIgnoredTarget) continue;
          ASSERT_EQ(targets[i], tokens[i] + 1);
          ++seen[tokens[i]];
        }
      }
      size_t pairs = 0;
      for (int length : lengths) pairs += static_cast<size_t>(std::max(length - 1, 0));
      EXPECT_EQ(seen.size(), pairs);
      for (const auto& [token, count] : seen) ASSERT_EQ(count, 1) << token;
    }
  }
}

// Rows never mix documents inside a piece, positions restart with each piece, and only the end of an epoch is
// padded.
TEST(Packed, PiecesStayInsideOneDocument) {
  const auto lengths = random_lengths(200, 30, 11);
  const TokenDataset dataset = numbered(lengths);
  std::vector<int> document_of;
  for (size_t d = 0; d < lengths.size(); ++d)
    document_of.insert(document_of.end(), static_cast<size_t>(lengths[d]), static_cast<int>(d));
  BatchSampler sampler = sampler_of(dataset, {.seed = 1});
  Batch batch;
  const int64_t T = 48;
  for (int step = 0; step < 40; ++step) {
    ASSERT_TRUE(sampler.next({3, T}, batch));
    EXPECT_GE(batch.target_count, 3 * (T - T / 16));
    const auto tokens = values(batch.tokens), targets = values(batch.targets),
               start = values(batch.document_start), positions = values(batch.positions);
    for (int64_t i = 0; i < 3 * T; ++i) {
      const auto at = static_cast<size_t>(i);
      const auto first = static_cast<size_t>(i / T * T + start[at]);
      ASSERT_LE(first, at);
      ASSERT_EQ(positions[at], static_cast<int32_t>(at - first));
      ASSERT_EQ(positions[first], 0);
      if (targets[at] == kIgnoredTarget) continue;
      ASSERT_EQ(document_of[static_cast<size_t>(tokens[at])],
                document_of[static_cast<size_t>(tokens[first])]);
      ASSERT_EQ(document_of[static_cast<size_t>(targets[at])], document_of[static_cast<size_t>(tokens[at])]);
      ASSERT_EQ(tokens[at] - tokens[first], positions[at]);
    }
  }
}

TEST(Packed, WindowCutsFewerDocuments) {
  constexpr int kDocuments = 400;
  const TokenDataset dataset = numbered(random_lengths(kDocuments, 60, 2));
  const auto pieces = [&](int64_t window) {
    BatchSampler sampler = sampler_of(dataset, {.repeat = false, .window = window});
    Batch batch;
    int64_t count = 0;
    while (sampler.next({1, 64}, batch)) {
      const auto positions = values(batch.positions), targets = values(batch.targets);
      for (size_t i = 0; i < positions.size(); ++i)
        count += positions[i] == 0 && targets[i] != kIgnoredTarget;
    }
    return count;
  };
  const int64_t in_order = pieces(1), best_fit = pieces(64);
  EXPECT_GT(in_order, kDocuments + 100);
  EXPECT_LT(best_fit, kDocuments + 50);
}

TEST(Sampler, ResumedRunEqualsStraightRun) {
  for (SamplingMode mode : {SamplingMode::packed, SamplingMode::contiguous}) {
    const TokenDataset dataset = numbered(random_lengths(50, 40, 4));
    const SamplerOptions options{.mode = mode, .seed = 99, .window = 8};
    const auto shape = [](int step) { return BatchShape{1 + step % 3, 8 + step / 10 * 8}; };
    BatchSampler straight = sampler_of(dataset, options);
    std::vector<std::vector<int32_t>> expected;
    std::vector<std::string> states;
    Batch batch;
    for (int step = 0; step < 40; ++step) {
      states.push_back(nlohmann::json(straight.state()).dump());
      ASSERT_TRUE(straight.next(shape(step), batch));
      expected.push_back(all(batch));
    }
    for (int k : {0, 1, 7, 25, 39}) {
      BatchSampler resumed = sampler_of(dataset, options);
      ASSERT_TRUE(
          resumed.restore(nlohmann::json::parse(states[static_cast<size_t>(k)]).get<SamplerState>()).ok());
      for (int step = k; step < 40; ++step) {
        ASSERT_TRUE(resumed.next(shape(step), batch));
        ASSERT_EQ(all(batch), expected[static_cast<size_t>(step)]) << "resumed at " << k << ", step " << step;
      }
    }
  }
}

TEST(Sampler, SeedAndEpochChangeTheOrder) {
  const TokenDataset dataset = numbered(std::vector<int>(64, 9));
  Batch a, b;
  BatchSampler first = sampler_of(dataset, {.seed = 1, .window = 1}),
               second = sampler_of(dataset, {.seed = 2, .window = 1});
  ASSERT_TRUE(first.next({64, 8}, a));
  ASSERT_TRUE(second.next({64, 8}, b));
  EXPECT_NE(all(a), all(b));
  ASSERT_TRUE(first.next({64, 8}, b));  // the second epoch
  EXPECT_NE(all(a), all(b));
}

TEST(Sampler, RefusesAStateOfAnotherCorpus) {
  BatchSampler sampler = sampler_of(numbered({5, 5}), {.window = 2});
  EXPECT_FALSE(sampler.restore({.next = 3}).ok());
  EXPECT_FALSE(sampler.restore({.next = -1}).ok());
  EXPECT_FALSE(sampler.restore({.next = 1, .pending = {{2, 0}}}).ok());
  EXPECT_FALSE(sampler.restore({.next = 1, .pending = {{0, 4}}}).ok());
  EXPECT_FALSE(sampler.restore({.next = 1, .pending = {{0, 0}, {1, 0}, {1, 0}}}).ok());
  const auto result = sampler.restore({.next = 1, .pending = {{-1, 0}}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::conflict);
  EXPECT_TRUE(sampler.restore({.next = 1, .pending = {{0, 3}}}).ok());
}

TEST(Sampler, RefusesACorpusWithoutPairs) {
  EXPECT_FALSE(BatchSampler::create(numbered({}), {}).ok());
  EXPECT_FALSE(BatchSampler::create(numbered({1, 0, 1}), {}).ok());
  EXPECT_FALSE(BatchSampler::create(numbered({1}), {.mode = SamplingMode::contiguous}).ok());
  EXPECT_FALSE(BatchSampler::create(numbered({5}), {.window = 0}).ok());
}

TEST(Contiguous, CropsAreRunsOfTheStream) {
  const TokenDataset dataset = numbered({40, 60});
  BatchSampler sampler = sampler_of(dataset, {.mode = SamplingMode::contiguous, .seed = 3});
  Batch batch;
  int32_t lowest = 100, highest = 0;
  for (int step = 0; step < 100; ++step) {
    ASSERT_TRUE(sampler.next({4, 10}, batch));
    const auto tokens = values(batch.tokens), targets = values(batch.targets);
    for (size_t i = 0; i < tokens.size(); ++i) {
      ASSERT_EQ(tokens[i], tokens[i / 10 * 10] + static_cast<int32_t>(i % 10));
      ASSERT_EQ(targets[i], tokens[i] + 1);
      lowest = std::min(lowest, tokens[i]);
      highest = std::max(highest, targets[i]);
    }
  }
  EXPECT_EQ(lowest, 0);
  EXPECT_EQ(highest, 99);
}

TEST(Contiguous, EvaluationCoversTheStreamOnce) {
  BatchSampler sampler = sampler_of(numbered({25, 12}), {.mode = SamplingMode::contiguous, .repeat = false});
  Batch batch;
  std::vector<int32_t> seen;
  while (sampler.next({2, 8}, batch)) {
    const auto targets = values(batch.targets);
    for (int32_t target : targets)
      if (target != kIgnoredTarget) seen.push_back(target);
  }
  ASSERT_EQ(seen.size(), 36u);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int32_t>(i + 1));
}

TEST(Contiguous, PadsAStreamShorterThanARow) {
  BatchSampler sampler = sampler_of(numbered({4}), {.mode = SamplingMode::contiguous});
  Batch batch;
  ASSERT_TRUE(sampler.next({1, 6}, batch));
  EXPECT_EQ(values(batch.targets), (std::vector<int32_t>{1, 2, 3, -1, -1, -1}));
  EXPECT_EQ(values(batch.document_start), (std::vector<int32_t>{0, 0, 0, 3, 3, 3}));
  EXPECT_EQ(batch.target_count, 3);
}

// user 7, assistant 8, end 9: "text 7 hi 9 8 yes 9" learns only "yes 9"; a plain document is learnt in full.
TEST(LossMask, KeepsWhatTheAssistantSays) {
  const std::vector<std::vector<int32_t>> documents = {{1, 7, 2, 9, 8, 3, 4, 9, 7, 5, 9, 8, 6, 9, 1},
                                                       {1, 2, 3}};
  const SamplerOptions options{
      .shuffle = false, .repeat = false, .window = 1, .assistant_only = ChatTokens{7, 8, 9}};
  for (int64_t sequence : {20, 5, 1}) {  // cutting the document changes nothing
    BatchSampler sampler = sampler_of(TokenDataset::from_documents(documents), options);
    Batch batch;
    std::vector<int32_t> learnt;
    int64_t count = 0;
    while (sampler.next({1, sequence}, batch)) {
      for (int32_t target : values(batch.targets))
        if (target != kIgnoredTarget) learnt.push_back(target);
      count += batch.target_count;
    }
    EXPECT_EQ(learnt, (std::vector<int32_t>{3, 4, 9, 6, 9, 2, 3})) << sequence;
    EXPECT_EQ(count, 7);
  }
}

TEST(Sampler, ThrowsOnImpossibleShapes) {
  BatchSampler sampler = sampler_of(numbered({5}), {});
  Batch batch;
  EXPECT_THROW(sampler.next({0, 4}, batch), ShapeError);
  EXPECT_THROW(sampler.next({1, 0}, batch), ShapeError);
}

// A caller that keeps the tensors of one step is not overwritten by the next.
TEST(Sampler, LeavesHeldTensorsAlone) {
  BatchSampler sampler = sampler_of(numbered({50}), {.shuffle = false});
  Batch batch;
  ASSERT_TRUE(sampler.next({1, 8}, batch));
  const Tensor held = batch.tokens;
  const auto before = values(held);
  ASSERT_TRUE(sampler.next({1, 8}, batch));
  EXPECT_EQ(values(held), before);
}

}  // namespace
}  // namespace quern::data
