// Two models over the answers of examples.
#include "eval/answer_comparison.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/graph.h"

namespace quern::eval {
namespace {

constexpr int64_t kWords = 19;

model::Decoder tiny_model(uint64_t seed) {
  model::ModelConfig config;
  config.vocab_size = kWords;
  config.layers = 1;
  config.hidden = 16;
  config.heads = 2;
  config.max_positions = 32;
  config.init_std = 0.3;
  return model::Decoder::create(config, seed).value();
}

// Two pairs: answers of 2 and 1, and of 1 and 3 tokens.
const std::vector<data::TokenDocument> kPairs = {
    {{1, 2, 3, 4}, {0, 0, 1, 1}}, {{1, 2, 9}, {0, 0, 1}}, {{5, 6}, {0, 1}}, {{5, 7, 8, 11}, {0, 1, 1, 1}}};

// log p of the answer, token by token from the logits.
double log_prob(const model::Decoder& model, const data::TokenDocument& document) {
  const autograd::NoGrad no_grad;
  const auto time = static_cast<int64_t>(document.tokens.size());
  const Tensor logits = model.logits(
      model.hidden(Tensor::from(document.tokens, {1, time}), nn::ForwardContext::causal(1, time)));
  double sum = 0.0;
  for (size_t t = 1; t < document.tokens.size(); ++t) {
    if (document.learnt[t] == 0) continue;
    const float* row = logits.data<float>() + static_cast<int64_t>(t - 1) * kWords;
    double total = 0.0;
    for (int64_t v = 0; v < kWords; ++v) total += std::exp(double{row[v]});
    sum += row[document.tokens[t]] - std::log(total);
  }
  return sum;
}

TEST(AnswerComparison, CountsWhatTheModelsSay) {
  const model::Decoder base = tiny_model(1), tuned = tiny_model(2);
  const auto examples = data::TokenDataset::from_examples(data::TokenContent::preferences, kPairs);
  const AnswerComparison found = compare_answers(examples, base, tuned).value();
  EXPECT_EQ(found.examples, 2);
  EXPECT_EQ(found.tokens, 3);
  double base_loss = 0.0, tuned_loss = 0.0, wins = 0.0, moved = 0.0, margin = 0.0, accuracy = 0.0;
  for (const size_t i : {size_t{0}, size_t{2}}) {
    const double chosen_tokens = i == 0 ? 2.0 : 1.0, rejected_tokens = i == 0 ? 1.0 : 3.0;
    const double b = log_prob(base, kPairs[i]), t = log_prob(tuned, kPairs[i]);
    const double other_b = log_prob(base, kPairs[i + 1]), other_t = log_prob(tuned, kPairs[i + 1]);
    base_loss -= b / chosen_tokens / 2.0;
    tuned_loss -= t / chosen_tokens / 2.0;
    wins += t > b ? 0.5 : 0.0;
    moved += t - b > other_t - other_b ? 0.5 : 0.0;
    margin += ((t - b) - (other_t - other_b)) / 2.0;
    accuracy += t / chosen_tokens > other_t / rejected_tokens ? 0.5 : 0.0;
  }
  EXPECT_NEAR(found.base_loss.value, base_loss, 1e-5);
  EXPECT_NEAR(found.tuned_loss.value, tuned_loss, 1e-5);
  EXPECT_NEAR(found.difference.value, tuned_loss - base_loss, 1e-5);
  EXPECT_DOUBLE_EQ(found.wins.value, wins);
  ASSERT_TRUE(found.pairs);
  EXPECT_DOUBLE_EQ(found.pairs->moved.value, moved);
  EXPECT_DOUBLE_EQ(found.pairs->tuned_accuracy.value, accuracy);
  EXPECT_NEAR(found.pairs->margin.value, margin, 1e-5);
}

TEST(AnswerComparison, OfAModelWithItselfIsATie) {
  const model::Decoder model = tiny_model(1);
  const auto examples = data::TokenDataset::from_examples(data::TokenContent::supervised, kPairs);
  const AnswerComparison found = compare_answers(examples, model, model).value();
  EXPECT_EQ(found.examples, 4);
  EXPECT_EQ(found.difference.value, 0.0);
  EXPECT_EQ(found.wins.value, 0.5);
  EXPECT_FALSE(found.pairs);
}

TEST(AnswerComparison, RefusesTextsAndOtherVocabularies) {
  const model::Decoder model = tiny_model(1);
  const auto text = data::TokenDataset::from_documents({{1, 2, 3}});
  EXPECT_EQ(compare_answers(text, model, model).error().code, ErrorCode::invalid_argument);
  const auto strange = data::TokenDataset::from_examples(data::TokenContent::supervised, {{{1, 40}, {0, 1}}});
  EXPECT_EQ(compare_answers(strange, model, model).error().code, ErrorCode::conflict);
}

}  // namespace
}  // namespace quern::eval
