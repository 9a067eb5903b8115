// Rotary positions that follow the length of the text, against transformers (tools/goldens/rope_length.py).
#include <gtest/gtest.h>

#include <filesystem>

#include "autograd/graph.h"
#include "formats/safetensors.h"
#include "infer/session.h"
#include "model/load.h"
#include "ops/linear.h"
#include "support/source_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::infer {
namespace {

constexpr size_t kPrompt = 11, kOriginal = 16;

class RopeLength : public testing::TestWithParam<const char*> {
 protected:
  RopeLength() { model_.set_cache_dtype(DType::f32); }
  Tensor expected(const std::string& name) const { return archive_.tensor(name).value(); }
  std::vector<int32_t> ids(const std::string& name) const {
    const Tensor ids = expected(name).to(DType::i32);
    return {ids.span<int32_t>().begin(), ids.span<int32_t>().end()};
  }
  static std::vector<float> logits_of(const Session& session) {
    return {session.logits().begin(), session.logits().end()};
  }

  std::filesystem::path folder_ = std::filesystem::path(QUERN_SOURCE_DIR) / "tests/golden/rope" / GetParam();
  formats::TensorArchive archive_ = formats::TensorArchive::open(folder_ / "expected.safetensors").value();
  model::Decoder model_ = model::load_model(folder_).value();
};

INSTANTIATE_TEST_SUITE_P(Kinds, RopeLength, testing::Values("longrope", "dynamic"));

TEST_P(RopeLength, ShortAndLongTextsTurnEachTheirWay) {
  const autograd::NoGrad no_grad;
  EXPECT_EQ(model_.config().max_positions, 64);
  for (const char* name : {"short", "long"}) {
    const Tensor wanted = expected(name);
    const int64_t time = wanted.dim(1);
    const Tensor tokens = Tensor::from(ids("ids"), {29}).sliced(0, time);
    const Tensor states = model_.hidden(tokens.reshaped({1, time}), nn::ForwardContext::causal(1, time));
    EXPECT_LE(model::max_difference(model_.logits(states), wanted), 1e-4) << name;
  }
}

TEST_P(RopeLength, GreedyTextGoesOnAcrossTheBoundary) {
  Session session(model_, 0);
  const std::vector<int32_t> tokens = ids("ids");
  ASSERT_TRUE(session.set_tokens(std::span(tokens).first(kPrompt)).ok());
  for (const int32_t wanted : ids("generated")) {
    const auto logits = session.logits();
    ASSERT_EQ(std::ranges::max_element(logits) - logits.begin(), wanted) << session.tokens().size();
    session.append(wanted);
  }
}

TEST_P(RopeLength, APromptTurnsByItsOwnLengthHoweverItIsReached) {
  const ops::BatchInvariant invariant;
  const std::vector<int32_t> tokens = ids("ids");
  Session session(model_, 0);
  for (const size_t length :
       {size_t{3}, kOriginal, kOriginal + 1, tokens.size(), kOriginal, tokens.size() - 2}) {
    ASSERT_TRUE(session.set_tokens(std::span(tokens).first(length)).ok());
    Session fresh(model_, 0);
    ASSERT_TRUE(fresh.set_tokens(std::span(tokens).first(length)).ok());
    EXPECT_EQ(logits_of(session), logits_of(fresh)) << length;
    session.append(7);
    session.append(8);
  }
}

// Keys that turned for a longer text cannot be turned back: they are computed again.
TEST_P(RopeLength, AShiftAcrossTheBoundaryEqualsAFreshSession) {
  const ops::BatchInvariant invariant;
  const std::vector<int32_t> tokens = ids("ids");
  Session shifted(model_, 0), fresh(model_, 0);
  ASSERT_TRUE(shifted.set_tokens(tokens).ok());
  shifted.shift(4, 20);
  ASSERT_TRUE(fresh.set_tokens(shifted.tokens()).ok());
  EXPECT_EQ(shifted.tokens().size(), tokens.size() - 20);
  EXPECT_EQ(logits_of(shifted), logits_of(fresh));
}

}  // namespace
}  // namespace quern::infer
