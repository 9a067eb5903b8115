// The walk over examples: steps in parts are whole steps, and evaluations are of everything held out.
#include "encoding/encoder_objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "autograd/graph.h"
#include "base/rng.h"
#include "encoding/masked_words.h"
#include "encoding/pooled_states.h"
#include "encoding/sentence_vectors.h"
#include "encoding/sequence_labels.h"
#include "infer/embed.h"
#include "model/new_head.h"
#include "ops/binary.h"
#include "ops/reduce.h"
#include "support/golden.h"
#include "unit/encoding/gradients.h"
#include "unit/model/tiny_models.h"

namespace quern::encoding {
namespace {

model::Encoder tiny_encoder(model::Head head, double dropout) {
  model::ModelConfig config = model::tiny_config("bert");
  config.dropout = dropout;
  model::NewHead wanted{.head = head};
  if (head == model::Head::sequence_classification) wanted.labels = {"a", "b"};
  return model::Encoder::create(model::with_head(config, wanted).value(), 5).value();
}

TextTokens drawn_text(int64_t length, uint64_t seed) {
  Rng rng(seed, 9);
  TextTokens text;
  for (int64_t i = 0; i < length; ++i) text.ids.push_back(static_cast<int32_t>(5 + rng.below(43)));
  return text;
}

std::vector<LabelledText> labelled(int64_t count) {
  std::vector<LabelledText> texts;
  for (int64_t i = 0; i < count; ++i)
    texts.push_back({drawn_text(3 + i % 5, static_cast<uint64_t>(i)), {static_cast<double>(i % 2)}});
  return texts;
}

std::vector<RelatedTexts> related(int64_t count) {
  std::vector<RelatedTexts> examples;
  for (int64_t i = 0; i < count; ++i) {
    const auto seed = static_cast<uint64_t>(10 * i);
    examples.push_back(
        {{drawn_text(3 + i % 4, seed), drawn_text(4 + i % 3, seed + 1), drawn_text(5, seed + 2)}, 0.0});
  }
  return examples;
}

TEST(EncoderObjective, StepsInPartsAreWholeSteps) {
  model::Encoder model = tiny_encoder(model::Head::sequence_classification, 0.0);
  std::vector<std::map<std::string, Tensor>> gradients;
  std::vector<double> losses;
  for (const int64_t micro : {0, 3}) {
    EncoderObjective objective(std::make_unique<SequenceLabels>(model, labelled(16)), nullptr,
                               {.batch = 8, .micro_batch = micro, .dropout = false});
    const auto learnt = objective.accumulate({.step = 2, .micro_batches = 4, .scale = 1.0}).value();
    EXPECT_EQ(learnt.micro_batches, micro == 0 ? 1 : 3);
    losses.push_back(learnt.loss);
    gradients.push_back(gradients_of(model));
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-6);
  expect_same(gradients[0], gradients[1]);
}

TEST(EncoderObjective, EvaluatesEverythingHeldOut) {
  model::Encoder model = tiny_encoder(model::Head::sequence_classification, 0.3);
  EncoderObjective objective(std::make_unique<SequenceLabels>(model, labelled(6)),
                             std::make_unique<SequenceLabels>(model, labelled(11)), {.batch = 4});
  const auto first = objective.evaluate(0).value(), again = objective.evaluate(3).value();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->tokens, 11);
  EXPECT_EQ(first->loss, again->loss);
  EXPECT_TRUE(first->figure("accuracy").has_value());
}

// In parts, vectors are made twice, with the same elements dropped.
TEST(SentenceVectors, LearnTheSameInParts) {
  model::Encoder model = tiny_encoder(model::Head::none, 0.3);
  std::vector<int64_t> all{0, 1, 2, 3, 4, 5};
  SentenceVectors criterion(model, {}, related(6), {});
  const auto run = [&] {
    const EncoderPass pass{
        .dropout = {.enabled = true, .seed = 3, .step = 7}, .checkpoint = false, .rows = 2, .draw = 0};
    criterion.clear();
    criterion.add(all, pass, 1.0 / 6.0);
    return criterion.loss();
  };
  const double parts = run();
  const std::map<std::string, Tensor> gradient = gradients_of(model);
  // The derivative of what the parts lose, along its gradient.
  constexpr double kStep = 1e-3;
  double slope = 0.0;
  const auto move = [&](double step) {
    model.visit([&](const std::string& name, nn::Parameter& p) {
      const auto found = gradient.find(name);
      if (found == gradient.end()) return;
      for (int64_t i = 0; i < p.shape().numel(); ++i)
        p.master().data<float>()[i] += static_cast<float>(step) * found->second.data<float>()[i];
    });
  };
  for (const auto& [name, values] : gradient)
    for (const float value : values.span<float>()) slope += double{value} * double{value};
  const double step = kStep / std::sqrt(slope);
  const autograd::NoGrad no_grad;
  move(step);
  const double above = run();
  move(-2.0 * step);
  const double below = run();
  EXPECT_GT(parts, 0.1);
  EXPECT_NEAR((above - below) / (2.0 * step), slope, 0.02 * slope);
}

TEST(PooledStates, AreThoseOfEmbeddings) {
  const Tensor states = Tensor::full({2, 4, 3}, 0.0);
  Rng rng(2, 2);
  for (float& value : states.span<float>()) value = static_cast<float>(rng.normal());
  const std::vector<int64_t> lengths{4, 2};
  using infer::Pooling;
  for (const Pooling pooling : {Pooling::cls, Pooling::max, Pooling::mean, Pooling::mean_sqrt_len,
                                Pooling::weighted_mean, Pooling::last}) {
    const std::vector<Pooling> both{pooling, Pooling::mean};
    const Tensor vectors = pooled_states(states, lengths, both);
    for (int64_t b = 0; b < 2; ++b) {
      const Tensor text = states.sliced(b, b + 1).reshaped({4, 3}).sliced(0, lengths[static_cast<size_t>(b)]);
      const infer::Embedding wanted = infer::pooled(text, {.pooling = both});
      for (int64_t i = 0; i < 6; ++i)
        EXPECT_NEAR(vectors.data<float>()[b * 6 + i], wanted[static_cast<size_t>(i)], 1e-6);
    }
  }
}

TEST(PooledStates, GiveGradientsBack) {
  using infer::Pooling;
  const std::vector<Pooling> ways{Pooling::max, Pooling::weighted_mean};
  const std::vector<int64_t> lengths{3, 2};
  Tensor states({2, 3, 2}, DType::f64);
  Rng rng(2, 3);
  for (double& value : states.span<double>()) value = rng.normal();
  autograd::require_grad(states);
  const auto loss = [&] {
    const Tensor y = pooled_states(states, lengths, ways);
    return ops::sum(ops::mul(y, y));
  };
  autograd::backward(loss());
  const Tensor gradient = autograd::grad(states);
  const autograd::NoGrad no_grad;
  for (int64_t i = 0; i < states.numel(); ++i) {
    double& value = states.data<double>()[i];
    const double before = value;
    value = before + 1e-6;
    const double above = loss().item();
    value = before - 1e-6;
    const double below = loss().item();
    value = before;
    EXPECT_NEAR((above - below) / 2e-6, gradient.data<double>()[i], 1e-6) << i;
  }
}

class Masks : public testing::Test {
 protected:
  MaskedWords criterion(const MaskOptions& options, int64_t length = 100) {
    std::vector<TextTokens> texts;
    for (uint64_t i = 0; i < 50; ++i) {
      texts.push_back(drawn_text(length, i));
      texts.back().ids.front() = 2;
    }
    MaskTokens tokens{.mask = 4, .special = std::vector<char>(48, 0), .continues = std::vector<char>(48, 0)};
    tokens.special[2] = 1;
    for (size_t id = 25; id < 48; ++id) tokens.continues[id] = 1;
    return {model_, tokens, texts, options};
  }
  model::Encoder model_ = tiny_encoder(model::Head::masked_lm, 0.0);
};

TEST_F(Masks, AreDrawnByStepAndExample) {
  const MaskedWords words = criterion({});
  int64_t asked = 0, hidden = 0, kept = 0;
  for (int64_t i = 0; i < words.size(); ++i) {
    const auto masked = words.masked(i, 3);
    EXPECT_EQ(masked.targets, words.masked(i, 3).targets);
    EXPECT_EQ(masked.targets[0], -1);
    const std::vector<int32_t> before = drawn_text(100, static_cast<uint64_t>(i)).ids;
    for (size_t t = 1; t < 100; ++t) {
      if (masked.targets[t] < 0) {
        EXPECT_EQ(masked.text.ids[t], before[t]);
        continue;
      }
      EXPECT_EQ(masked.targets[t], before[t]);
      ++asked;
      hidden += masked.text.ids[t] == 4;
      kept += masked.text.ids[t] == before[t];
    }
  }
  EXPECT_NE(words.masked(0, 3).targets, words.masked(0, 4).targets);
  EXPECT_NEAR(static_cast<double>(asked), 0.15 * 4950, 80);
  EXPECT_NEAR(static_cast<double>(hidden) / static_cast<double>(asked), 0.8, 0.06);
  EXPECT_NEAR(static_cast<double>(kept) / static_cast<double>(asked), 0.1, 0.05);
}

TEST_F(Masks, TakeWholeWords) {
  const MaskedWords words = criterion({.whole_words = true});
  for (int64_t i = 0; i < words.size(); ++i) {
    const auto masked = words.masked(i, 1);
    const std::vector<int32_t> before = drawn_text(100, static_cast<uint64_t>(i)).ids;
    for (size_t t = 2; t < 100; ++t) {
      if (before[t] >= 25) {
        EXPECT_EQ(masked.targets[t] >= 0, masked.targets[t - 1] >= 0) << t;
      }
    }
  }
}

TEST_F(Masks, AreLearntWithTheMeanOverPlaces) {
  EncoderObjective whole(std::make_unique<MaskedWords>(criterion({}, 20)), nullptr,
                         {.batch = 10, .dropout = false});
  EncoderObjective parts(std::make_unique<MaskedWords>(criterion({}, 20)), nullptr,
                         {.batch = 10, .micro_batch = 4, .dropout = false});
  const auto one = whole.accumulate({.step = 1}).value();
  const std::map<std::string, Tensor> gradient = gradients_of(model_);
  const auto other = parts.accumulate({.step = 1}).value();
  EXPECT_EQ(one.targets, other.targets);
  EXPECT_NEAR(one.loss, other.loss, 1e-5);
  expect_same(gradient, gradients_of(model_));
}

}  // namespace
}  // namespace quern::encoding
