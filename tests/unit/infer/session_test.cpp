#include "infer/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>

#include "autograd/graph.h"
#include "base/interrupt.h"
#include "ops/linear.h"
#include "unit/model/tiny_models.h"

namespace quern::infer {
namespace {

using testing::HasSubstr;

constexpr int64_t kTokens = 48, kPositions = 24;

model::Decoder tiny_model(const std::string& family) {
  model::Decoder model = model::Decoder::create(model::tiny_config(family), 3).value();
  model.set_cache_dtype(DType::f32);
  return model;
}

std::vector<int32_t> tokens_of(int64_t count, uint64_t seed = 1) {
  const Tensor tokens = model::random_tokens(1, count, kTokens, seed);
  return {tokens.span<int32_t>().begin(), tokens.span<int32_t>().end()};
}

std::vector<float> logits_of(const Session& session) {
  return {session.logits().begin(), session.logits().end()};
}

// The logits after every token, by one pass without a cache.
std::vector<std::vector<float>> full_forward(const model::Decoder& model,
                                             const std::vector<int32_t>& tokens) {
  const autograd::NoGrad no_grad;
  const auto time = static_cast<int64_t>(tokens.size());
  const Tensor states =
      model.hidden(Tensor::from(std::span(tokens), {1, time}), nn::ForwardContext::causal(1, time));
  const Tensor logits = model.logits(states);
  std::vector<std::vector<float>> rows;
  for (int64_t t = 0; t < time; ++t) {
    const auto all = logits.span<float>().subspan(static_cast<size_t>(t * kTokens), kTokens);
    rows.emplace_back(all.begin(), all.end());
  }
  return rows;
}

void expect_close(const std::vector<float>& got, const std::vector<float>& expected,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 2e-5) << what << ", token " << i;
}

class SessionTest : public testing::TestWithParam<std::string> {
 protected:
  model::Decoder model_ = tiny_model(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Families, SessionTest, testing::Values("gpt2", "llama"));

TEST_P(SessionTest, PrefillAndDecodeEqualTheFullForward) {
  const std::vector<int32_t> tokens = tokens_of(kPositions);
  const auto expected = full_forward(model_, tokens);
  for (const size_t prompt : {size_t{1}, size_t{2}, size_t{9}, tokens.size()}) {
    Session session(model_, 0);
    ASSERT_TRUE(session.set_tokens(std::span(tokens).first(prompt)).ok());
    expect_close(logits_of(session), expected[prompt - 1], "prompt of " + std::to_string(prompt));
    for (size_t t = prompt; t < tokens.size(); ++t) {
      session.append(tokens[t]);
      expect_close(logits_of(session), expected[t], "token " + std::to_string(t));
    }
    EXPECT_TRUE(session.full());
    EXPECT_EQ(session.tokens(), tokens);
  }
}

// Rows then do not depend on others computed with them: any way to the same tokens gives the same bits.
TEST_P(SessionTest, BatchInvariantSessionsHaveTheSameBits) {
  const ops::BatchInvariant invariant;
  const std::vector<int32_t> tokens = tokens_of(kPositions);
  Session whole(model_, 0), decoded(model_, 0);
  ASSERT_TRUE(whole.set_tokens(tokens).ok());
  ASSERT_TRUE(decoded.set_tokens(std::span(tokens).first(1)).ok());
  for (size_t t = 1; t < tokens.size(); ++t) decoded.append(tokens[t]);
  EXPECT_EQ(logits_of(whole), logits_of(decoded));
}

TEST_P(SessionTest, AnEditedPromptEqualsAFreshSession) {
  const ops::BatchInvariant invariant;
  const std::vector<int32_t> base = tokens_of(12);
  std::vector<int32_t> longer = base, diverging = base, last = base;
  for (const int32_t token : tokens_of(8, 5)) longer.push_back(token);
  for (size_t i = 4; i < diverging.size(); ++i) diverging[i] = (diverging[i] + 1) % kTokens;
  last.back() = (last.back() + 1) % kTokens;
  const std::vector<int32_t> shorter(base.begin(), base.begin() + 5), other = tokens_of(7, 9);

  Session session(model_, 0);
  // Each follows the one before it: longer, the same again, cut, grown back, changed inside and at both ends.
  for (const auto& next :
       {base, longer, longer, shorter, base, diverging, base, last, shorter, other, longer}) {
    ASSERT_TRUE(session.set_tokens(next).ok());
    Session fresh(model_, 0);
    ASSERT_TRUE(fresh.set_tokens(next).ok());
    EXPECT_EQ(session.tokens(), next);
    EXPECT_EQ(logits_of(session), logits_of(fresh));
    if (session.full()) continue;
    session.append(3);
    fresh.append(3);
    EXPECT_EQ(logits_of(session), logits_of(fresh));
  }
}

TEST_P(SessionTest, ErrorsGiveTheNumbersAndChangeNothing) {
  Session session(model_, 10);
  EXPECT_EQ(session.context(), 10);
  const std::vector<int32_t> tokens = tokens_of(6);
  ASSERT_TRUE(session.set_tokens(tokens).ok());
  const std::vector<float> before = logits_of(session);

  const Result<void> none = session.set_tokens({});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);

  const Result<void> too_long = session.set_tokens(tokens_of(11));
  ASSERT_FALSE(too_long.ok());
  EXPECT_EQ(too_long.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(too_long.error().message, HasSubstr("11 tokens"));
  EXPECT_THAT(too_long.error().message, HasSubstr("holds 10"));

  for (const int32_t outside : {48, 1000000, -1}) {
    const Result<void> unknown = session.set_tokens(std::vector<int32_t>{1, outside});
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(unknown.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(unknown.error().message, HasSubstr("token " + std::to_string(outside)));
    EXPECT_THAT(unknown.error().message, HasSubstr("has 48"));
  }
  EXPECT_EQ(session.tokens(), tokens);
  EXPECT_EQ(logits_of(session), before);
}

TEST_P(SessionTest, TheContextIsAtMostThePositionsOfTheModel) {
  EXPECT_EQ(Session(model_, 0).context(), kPositions);
  EXPECT_EQ(Session(model_, 1000).context(), kPositions);
  EXPECT_EQ(Session(model_, -1).context(), kPositions);
}

// Longer than a chunk of the prefill (512 tokens): the borders of chunks leave no trace.
TEST(Session, LongPromptsAreComputedInChunks) {
  const ops::BatchInvariant invariant;
  model::ModelConfig config = model::tiny_config("llama");
  config.max_positions = 1200;
  model::Decoder model = model::Decoder::create(config, 3).value();
  model.set_cache_dtype(DType::f32);
  const std::vector<int32_t> tokens = tokens_of(1100);
  Session whole(model, 0), pieces(model, 0);
  ASSERT_TRUE(whole.set_tokens(tokens).ok());
  for (const size_t end : {size_t{300}, size_t{813}, size_t{1099}, size_t{1100}})
    ASSERT_TRUE(pieces.set_tokens(std::span(tokens).first(end)).ok());
  EXPECT_EQ(logits_of(whole), logits_of(pieces));
  expect_close(logits_of(whole), full_forward(model, tokens).back(), "the full forward");
}

// The contract of the product: however a prompt is cut, in whatever the cache is kept, on any number of threads, the
// bits are those of one token at a time.
TEST(Session, AnyCutOfThePromptGivesTheSameBitsInEveryCache) {
  const ops::BatchInvariant invariant;
  model::ModelConfig config = model::tiny_config("llama");
  config.max_positions = 700;
  config.head_dim = config.rope.rotary = 32;
  config.window = 90;
  config.full_layers = {0};
  model::Decoder model = model::Decoder::create(config, 3).value();
  const std::vector<int32_t> tokens = tokens_of(640);
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0}) {
    model.set_cache_dtype(dtype);
    Session one_by_one(model, 0);
    ASSERT_TRUE(one_by_one.set_tokens(std::span(tokens).first(1)).ok());
    for (size_t t = 1; t < tokens.size(); ++t) one_by_one.append(tokens[t]);
    for (const size_t cut : {size_t{3}, size_t{64}, size_t{171}, size_t{640}}) {
      Session pieces(model, 0);
      for (size_t end = cut; end < tokens.size() + cut; end += cut)
        ASSERT_TRUE(pieces.set_tokens(std::span(tokens).first(std::min(end, tokens.size()))).ok());
      EXPECT_EQ(logits_of(pieces), logits_of(one_by_one)) << name_of(dtype) << ", cut at " << cut;
    }
  }
}

TEST(Session, AnInterruptEndsTheReadingOfAPrompt) {
  const ops::BatchInvariant invariant;
  const model::Decoder model = tiny_model("llama");
  const std::vector<int32_t> tokens = tokens_of(kPositions);
  Session session(model, 0), fresh(model, 0);
  ASSERT_TRUE(session.set_tokens(std::span(tokens).first(4)).ok());
  {
    const InterruptGuard guard("");
    std::raise(SIGINT);
    const Result<void> stopped = session.set_tokens(tokens);
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
    EXPECT_EQ(session.tokens().size(), 4u) << "what was known before is kept";
  }
  ASSERT_TRUE(session.set_tokens(tokens).ok());
  ASSERT_TRUE(fresh.set_tokens(tokens).ok());
  EXPECT_EQ(logits_of(session), logits_of(fresh));
}

// A window whose keys a ring gave up is computed again.
TEST(Session, AnEditFarBackUnderAWindowEqualsAFreshSession) {
  const ops::BatchInvariant invariant;
  model::ModelConfig config = model::tiny_config("llama");
  config.max_positions = 1400;
  config.window = 20;
  model::Decoder model = model::Decoder::create(config, 3).value();
  model.set_cache_dtype(DType::f32);
  const std::vector<int32_t> tokens = tokens_of(1300);
  Session session(model, 0);
  ASSERT_TRUE(session.set_tokens(tokens).ok());
  expect_close(logits_of(session), full_forward(model, tokens).back(), "a ring and the full forward");
  for (const size_t length : {size_t{1250}, size_t{300}, size_t{310}}) {
    ASSERT_TRUE(session.set_tokens(std::span(tokens).first(length)).ok());
    Session again(model, 0);
    ASSERT_TRUE(again.set_tokens(std::span(tokens).first(length)).ok());
    EXPECT_EQ(logits_of(session), logits_of(again)) << length;
  }
}

// Shifting the first tokens away leaves nothing that was computed in sight of them in a model of one layer, whose keys
// depend on a token and its place alone: the session then equals one that never had them.
TEST(Session, AShiftTurnsKeysToTheirNewPlaces) {
  const ops::BatchInvariant invariant;
  for (const char* family : {"llama", "gpt2"}) {
    model::ModelConfig config = model::tiny_config(family);
    config.layers = 1;
    config.max_positions = 200;
    model::Decoder model = model::Decoder::create(config, 3).value();
    model.set_cache_dtype(DType::f32);
    const std::vector<int32_t> tokens = tokens_of(150);
    Session shifted(model, 0), never(model, 0);
    ASSERT_TRUE(shifted.set_tokens(tokens).ok());
    shifted.shift(4, 90);
    std::vector<int32_t> rest(tokens.begin(), tokens.begin() + 4);
    rest.insert(rest.end(), tokens.begin() + 94, tokens.end());
    EXPECT_EQ(shifted.tokens(), rest);
    ASSERT_TRUE(never.set_tokens(rest).ok());
    shifted.append(5);
    never.append(5);
    expect_close(logits_of(shifted), logits_of(never), family);
  }
}

}  // namespace
}  // namespace quern::infer
