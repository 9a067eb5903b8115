#include "infer/generate.h"

#include <gtest/gtest.h>

#include "unit/infer/scripted_model.h"

namespace quern::infer {
namespace {

const std::vector<int32_t> kScript = {5, 6, 7, 8, 9, 5, 6, 7};
constexpr int64_t kVocab = 12;

struct Heard {
  std::vector<int32_t> tokens;
  FinishReason finish;
};

GenerateOptions up_to(int64_t max_tokens, std::vector<int32_t> end_tokens = {}) {
  GenerateOptions options;
  options.sampling.temperature = 0.0;
  options.max_tokens = max_tokens;
  options.end_tokens = std::move(end_tokens);
  return options;
}

// Generates from a prompt of one token.
Heard run(Session& session, const GenerateOptions& options, size_t stop_after = 100) {
  session.set_tokens(std::vector<int32_t>{0}).value();
  Heard heard;
  heard.finish = generate(session, options, [&](const SampledToken& token) {
    // A token is passed on before it is computed: the reader never waits for the next forward pass.
    EXPECT_EQ(session.tokens().size(), 1 + heard.tokens.size());
    heard.tokens.push_back(token.id);
    return heard.tokens.size() < stop_after;
  });
  return heard;
}

class GenerateTest : public testing::Test {
 protected:
  model::Decoder model_ = scripted_model(kScript, kVocab);
  Session session_{model_, 0};
};

TEST_F(GenerateTest, StopsAtTheLength) {
  const Heard heard = run(session_, up_to(3));
  EXPECT_EQ(heard.tokens, (std::vector<int32_t>{5, 6, 7}));
  EXPECT_EQ(heard.finish, FinishReason::length);
  EXPECT_EQ(session_.tokens(), (std::vector<int32_t>{0, 5, 6, 7}));
  EXPECT_EQ(run(session_, up_to(0)).finish, FinishReason::length);
}

TEST_F(GenerateTest, EndTokensFinishAndAreNotPassedOn) {
  const Heard heard = run(session_, up_to(6, {11, 8}));
  EXPECT_EQ(heard.tokens, (std::vector<int32_t>{5, 6, 7}));
  EXPECT_EQ(heard.finish, FinishReason::stop);
  EXPECT_EQ(session_.tokens(), (std::vector<int32_t>{0, 5, 6, 7}));
}

TEST_F(GenerateTest, AShiftedContextGoesOn) {
  Session session(model_, 4);
  session.set_tokens(std::vector<int32_t>{0}).value();
  GenerateOptions options = up_to(6);
  options.context_shift = true;
  size_t heard = 0;
  EXPECT_EQ(generate(session, options, [&](const SampledToken&) { return ++heard > 0; }),
            FinishReason::length);
  EXPECT_EQ(heard, 6);
  EXPECT_EQ(session.tokens().front(), 0) << "the prompt is kept";
  EXPECT_LE(session.tokens().size(), 4);
}

TEST_F(GenerateTest, AFullContextSaysSo) {
  const Heard heard = run(session_, up_to(100));
  EXPECT_EQ(heard.tokens, (std::vector<int32_t>{5, 6, 7, 8, 9, 5, 6}));  // 1 + 7 tokens in 8 positions
  EXPECT_EQ(heard.finish, FinishReason::context_full);
  Session small(model_, 3);
  EXPECT_EQ(run(small, up_to(100)).tokens.size(), 2u);
  // What was asked for fits exactly: no complaint about the context.
  EXPECT_EQ(run(session_, up_to(7)).finish, FinishReason::length);
}

TEST_F(GenerateTest, TheReceiverMayCancel) {
  const Heard heard = run(session_, up_to(100), 2);
  EXPECT_EQ(heard.tokens, (std::vector<int32_t>{5, 6}));
  EXPECT_EQ(heard.finish, FinishReason::cancelled);
  EXPECT_EQ(session_.tokens(), (std::vector<int32_t>{0, 5, 6}));  // the last one passed on is part of it
}

TEST_F(GenerateTest, PenaltiesSeeThePromptAndWhatWasGenerated) {
  // The script comes back to 5 at its sixth place: a penalty on what was said forbids that.
  GenerateOptions options = up_to(6);
  options.sampling.presence_penalty = 1000.0;
  const Heard heard = run(session_, options);
  ASSERT_EQ(heard.tokens.size(), 6u);
  EXPECT_EQ(std::vector<int32_t>(heard.tokens.begin(), heard.tokens.begin() + 5),
            (std::vector<int32_t>{5, 6, 7, 8, 9}));
  EXPECT_NE(heard.tokens[5], 5);
}

TEST_F(GenerateTest, LogprobsAreThoseOfTheModel) {
  session_.set_tokens(std::vector<int32_t>{0}).value();
  generate(session_, up_to(1), [](const SampledToken& token) {
    EXPECT_NEAR(token.logprob, 0.0, 1e-6);  // a script leaves no doubt
    return true;
  });
}

TEST(FinishReason, HasNames) {
  EXPECT_EQ(name_of(FinishReason::stop), "stop");
  EXPECT_EQ(name_of(FinishReason::length), "length");
  EXPECT_EQ(name_of(FinishReason::context_full), "context_full");
  EXPECT_EQ(name_of(FinishReason::cancelled), "cancelled");
}

}  // namespace
}  // namespace quern::infer
