#include "data/supervised_sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/exception.h"
#include "base/rng.h"

namespace quern::data {
namespace {

// Example i has the tokens 1000 i, 1000 i + 1, ...; the first is never learnt, the last always, others by chance.
TokenDataset examples(TokenContent content, int count, uint64_t seed, int longest = 30) {
  Rng rng(seed, 0);
  std::vector<TokenDocument> documents(static_cast<size_t>(count));
  for (size_t i = 0; i < documents.size(); ++i) {
    const size_t length = 2 + rng.below(static_cast<uint64_t>(longest));
    for (size_t t = 0; t < length; ++t) {
      documents[i].tokens.push_back(static_cast<int32_t>(1000 * i + t));
      documents[i].learnt.push_back(t + 1 == length || (t > 0 && rng.below(3) == 0));
    }
    documents[i].value = static_cast<float>(i / 2);
  }
  return TokenDataset::from_examples(content, documents);
}

// How often each token of the dataset is a target of the step.
void count_targets(const SupervisedStep& step, std::map<int32_t, int>& counts) {
  for (const SupervisedBatch& batch : step.micro_batches)
    for (const int32_t target : batch.targets.span<int32_t>())
      if (target != kIgnoredTarget) ++counts[target];
}

// Everything that must hold in any micro-batch of `dataset`.
void expect_sound(const SupervisedBatch& batch, const TokenDataset& dataset, const SupervisedOptions& options,
                  int64_t step_targets) {
  const int64_t time = batch.tokens.shape()[1];
  const auto tokens = batch.tokens.span<int32_t>(), targets = batch.targets.span<int32_t>(),
             starts = batch.document_start.span<int32_t>(), positions = batch.positions.span<int32_t>(),
             sequence = batch.sequence.span<int32_t>();
  const auto weights = batch.weights.span<float>();
  const int64_t pair = dataset.content() == TokenContent::preferences ? 2 : 1;
  EXPECT_LE(batch.tokens.shape()[0], options.rows * pair);
  EXPECT_LE(time, options.sequence);
  std::vector<int> covered(tokens.size(), 0);
  int64_t learnt_targets = 0;
  for (size_t index = 0; index < batch.sequences.size(); ++index) {
    const SupervisedSequence& piece = batch.sequences[index];
    ASSERT_LE(piece.begin + piece.length, time);
    EXPECT_EQ(piece.value, dataset.value(piece.document));
    std::vector<int32_t> text(static_cast<size_t>(dataset.document_length(piece.document)));
    std::vector<uint8_t> learnt(text.size());
    dataset.read(dataset.document_begin(piece.document), text);
    dataset.read_learnt(dataset.document_begin(piece.document), learnt);
    text.insert(text.begin(), options.before.begin(), options.before.end());
    learnt.insert(learnt.begin(), options.before.size(), 0);
    const size_t places = options.last_tokens ? text.size() : text.size() - 1;
    ASSERT_EQ(piece.length, static_cast<int64_t>(places));
    learnt.push_back(0);  // nothing follows
    text.push_back(-1);
    int64_t count = 0;
    for (size_t i = 0; i < places; ++i) {
      const auto at = static_cast<size_t>(piece.row * time + piece.begin) + i;
      ++covered[at];
      EXPECT_EQ(tokens[at], text[i]);
      EXPECT_EQ(targets[at], learnt[i + 1] ? text[i + 1] : kIgnoredTarget);
      EXPECT_EQ(starts[at], piece.begin);
      EXPECT_EQ(positions[at], static_cast<int32_t>(i));
      EXPECT_EQ(sequence[at], static_cast<int32_t>(index));
      count += learnt[i + 1];
    }
    EXPECT_EQ(piece.targets, count);
    learnt_targets += count;
  }
  EXPECT_EQ(batch.target_count, learnt_targets);
  for (size_t at = 0; at < covered.size(); ++at) {
    EXPECT_LE(covered[at], 1);
    if (covered[at] == 0) {
      EXPECT_EQ(targets[at], kIgnoredTarget);
      EXPECT_EQ(sequence[at], -1);
    }
    EXPECT_EQ(weights[at], targets[at] == kIgnoredTarget
                               ? 0.0f
                               : static_cast<float>(1.0 / static_cast<double>(step_targets)));
  }
}

TEST(SupervisedSampler, LearnsEachTokenOnceAnEpoch) {
  for (const TokenContent content :
       {TokenContent::supervised, TokenContent::preferences, TokenContent::unpaired}) {
    for (const int count : {2, 14, 50}) {
      const TokenDataset dataset = examples(content, count, static_cast<uint64_t>(count));
      for (const bool packed : {true, false}) {
        for (const int64_t batch : {1, 4, 7, 100}) {
          const SupervisedOptions options{
              .sequence = 33,
              .rows = 1 + batch % 3,
              .packed = packed,
              .shuffle = batch != 4,
              .seed = 5,
              .last_tokens = batch == 7,
              .before = batch > 1 ? std::vector<int32_t>{-5, -6} : std::vector<int32_t>()};
          const auto sampler = SupervisedSampler::create(dataset, options).value();
          int64_t drawn = 0;
          for (int epoch = 1; epoch <= 2; ++epoch) {
            std::map<int32_t, int> counts;
            int64_t targets = 0;
            for (int64_t n = 0; n < sampler.steps_per_epoch(batch); ++n) {
              const SupervisedStep step = sampler.step(drawn, batch);
              for (const auto& micro : step.micro_batches)
                expect_sound(micro, dataset, options, step.targets);
              count_targets(step, counts);
              EXPECT_LE(step.examples, batch);
              EXPECT_LE(step.tokens, step.places);
              targets += step.targets;
              drawn += step.examples;
            }
            EXPECT_EQ(drawn, epoch * sampler.example_count());
            EXPECT_EQ(targets, sampler.target_count());
            EXPECT_EQ(static_cast<int64_t>(counts.size()), sampler.target_count());
            for (const auto& [token, times] : counts) EXPECT_EQ(times, 1) << token;
          }
        }
      }
    }
  }
}

TEST(SupervisedSampler, KeepsPairsTogether) {
  const TokenDataset dataset = examples(TokenContent::preferences, 40, 3);
  for (const bool packed : {true, false}) {
    const auto sampler = SupervisedSampler::create(dataset, {.sequence = 31, .packed = packed}).value();
    EXPECT_EQ(sampler.example_count(), 20);
    const SupervisedStep step = sampler.step(0, 20);
    for (const SupervisedBatch& batch : step.micro_batches) {
      ASSERT_EQ(batch.sequences.size() % 2, 0u);
      for (size_t i = 0; i < batch.sequences.size(); i += 2) {
        EXPECT_EQ(batch.sequences[i].document % 2, 0);
        EXPECT_EQ(batch.sequences[i + 1].document, batch.sequences[i].document + 1);
      }
    }
  }
}

// The same step, cut and packed in any way, has the same examples, targets and weights.
TEST(SupervisedSampler, CuttingChangesNothing) {
  const TokenDataset dataset = examples(TokenContent::supervised, 60, 9);
  std::map<int32_t, int> expected;
  int64_t targets = 0;
  for (const bool packed : {true, false}) {
    for (const int64_t rows : {1, 2, 5, 60}) {
      const auto sampler =
          SupervisedSampler::create(dataset, {.sequence = 40, .rows = rows, .packed = packed, .seed = 2})
              .value();
      const SupervisedStep step = sampler.step(17, 16);
      std::map<int32_t, int> counts;
      count_targets(step, counts);
      double weight = 0.0;
      for (const SupervisedBatch& batch : step.micro_batches)
        for (const float w : batch.weights.span<float>()) weight += static_cast<double>(w);
      EXPECT_NEAR(weight, 1.0, 1e-6);
      if (expected.empty()) expected = counts, targets = step.targets;
      EXPECT_EQ(counts, expected);
      EXPECT_EQ(step.targets, targets);
    }
  }
}

TEST(SupervisedSampler, ShufflesAnewEachEpochAndFromTheSeedAlone) {
  const TokenDataset dataset = examples(TokenContent::supervised, 64, 1);
  const auto order = [&](uint64_t seed, int64_t epoch) {
    const auto sampler = SupervisedSampler::create(dataset, {.sequence = 40, .seed = seed}).value();
    std::vector<int64_t> documents;
    for (int64_t i = 0; i < 64; ++i)
      documents.push_back(sampler.step(64 * epoch + i, 1).micro_batches[0].sequences[0].document);
    return documents;
  };
  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), order(2, 0));
  const std::vector<int64_t> once = order(1, 3);
  EXPECT_EQ(std::set<int64_t>(once.begin(), once.end()).size(), 64u);
}

TEST(SupervisedSampler, PacksTightly) {
  const TokenDataset dataset = examples(TokenContent::supervised, 500, 4);
  const auto sampler = SupervisedSampler::create(dataset, {.sequence = 128, .rows = 4}).value();
  const SupervisedStep step = sampler.step(0, 500);
  EXPECT_GT(static_cast<double>(step.tokens) / static_cast<double>(step.places), 0.98);
}

TEST(SupervisedSampler, RefusesWhatCannotBeLearnt) {
  const auto refused = [](const std::vector<TokenDocument>& documents, SupervisedOptions options) {
    const auto sampler =
        SupervisedSampler::create(TokenDataset::from_examples(TokenContent::supervised, documents), options);
    return sampler.ok() ? std::string() : sampler.error().message;
  };
  const TokenDocument good{{1, 2, 3}, {0, 0, 1}, 0};
  EXPECT_EQ(refused({good}, {}), "");
  EXPECT_EQ(refused({}, {}), "there are no examples to learn from");
  EXPECT_EQ(refused({good, {{1, 2}, {1, 0}, 0}}, {}), "nothing of example 1 is learnt");
  EXPECT_EQ(refused({good, {{}, {}, 0}}, {}), "nothing of example 1 is learnt");
  EXPECT_EQ(refused({good, {{1, 2}, {0, 1}, 0}}, {.sequence = 1}),
            "1 of 2 sequences are longer than the 1 tokens of a row, the longest has 2");
  EXPECT_EQ(refused({good}, {.sequence = 3, .before = {7, 8}}),
            "1 of 1 sequences are longer than the 3 tokens of a row, the longest has 4 with the 2 before it");
  EXPECT_NE(refused({good}, {.rows = 0}), "");
  const auto sampler =
      SupervisedSampler::create(TokenDataset::from_examples(TokenContent::supervised, {good}), {}).value();
  EXPECT_THROW(sampler.step(-1, 1), ShapeError);
  EXPECT_THROW(sampler.step(0, 0), ShapeError);
}

}  // namespace
}  // namespace quern::data
