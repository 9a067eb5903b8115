// Replaced tokens: losses and gradients against those of transformers (tools/goldens/replaced_tokens.py), and what holds of
// draws.
#include "encoding/replaced_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "autograd/graph.h"
#include "base/rng.h"
#include "encoding/encoder_objective.h"
#include "formats/safetensors.h"
#include "model/family.h"
#include "model/load.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "unit/encoding/gradients.h"
#include "unit/model/tiny_models.h"

namespace quern::encoding {
namespace {

using model::Encoder;
using model::Head;

MaskTokens no_special_tokens(size_t vocab) {
  return {.mask = 4, .special = std::vector<char>(vocab, 0), .continues = std::vector<char>(vocab, 0)};
}

class ReplacedGolden : public testing::TestWithParam<bool> {
 protected:
  static Encoder opened(Head head) {
    std::vector<std::string> made;
    Encoder model = model::load_encoder(test::kGolden / "encoders" / "electra", {.head = head, .seed = 1},
                                        {.trainable = true}, made)
                        .value();
    // The file is that of a model without a head.
    const auto files = formats::ModelFolder::open(test::kGolden / "encoders" / "electra").value();
    model::load_weights(model, model.config(), formats::Checkpoint::open(files).value(), true).value();
    return model;
  }
  Tensor given(const std::string& name) const { return archive_.tensor(name).value(); }
  std::vector<TextTokens> texts() const {
    const Tensor ids = given("ids"), lengths = given("lengths");
    std::vector<TextTokens> result;
    for (int64_t row = 0; row < ids.dim(0); ++row) {
      const auto all = ids.span<int32_t>().subspan(static_cast<size_t>(row * ids.dim(1)));
      const auto own = all.first(static_cast<size_t>(lengths.data<int32_t>()[row]));
      result.push_back({{own.begin(), own.end()}, {}});
    }
    return result;
  }
  void expect_gradients(const std::string& which, const Encoder& model,
                        const std::map<std::string, Tensor>& ours) {
    const std::string kind = GetParam() ? "shared." : "apart.";
    int64_t compared = 0;
    for (const model::TensorName& name : model::find_family("electra").value()->tensors(model.config())) {
      const std::string key = kind + which + ".grad." + name.file;
      if (archive_.find(key) == nullptr) continue;
      const auto found = ours.find(which + "." + name.parameters[0]);
      if (found == ours.end()) {
        EXPECT_TRUE(GetParam() && which == "generator") << name.file;  // a table of the discriminator
        continue;
      }
      const Tensor wanted = given(key);
      double most = 0.0;
      for (const float value : wanted.span<float>()) most = std::max(most, std::fabs(double{value}));
      EXPECT_LE(model::max_difference(found->second, wanted), 1e-5 * most + 5e-7) << key;
      ++compared;
    }
    EXPECT_GT(compared, 10);
  }

  formats::TensorArchive archive_ =
      formats::TensorArchive::open(test::kGolden / "encoder_losses" / "electra.safetensors").value();
};

TEST_P(ReplacedGolden, LossesAndEveryGradientAgree) {
  Encoder generator = opened(Head::masked_lm), discriminator = opened(Head::discriminator);
  if (GetParam()) {
    ASSERT_TRUE(generator.share_embeddings(discriminator).ok());
  }
  GeneratorAndDiscriminator both(generator, discriminator);
  ReplacedTokens criterion(generator, discriminator, no_special_tokens(61), texts(),
                           {.share = 0.4, .hidden = 1.0, .replaced = 0.0, .seed = 3}, 50.0);
  const std::vector<int64_t> all{0, 1, 2};
  const EncoderPass pass{.draw = 2, .step = all};
  const double weight = 1.0 / static_cast<double>(criterion.targets(all, 2));
  criterion.clear();
  // Apart, as micro-batches are.
  criterion.add(std::span(all).first(2), pass, weight);
  criterion.add(std::span(all).subspan(2), pass, weight);
  const std::string kind = GetParam() ? "shared." : "apart.";
  std::map<std::string, double> figures;
  for (const auto& [name, value] : criterion.figures()) figures[name] = value;
  const double told = given(kind + "generator.loss").item();
  const double judged = given(kind + "discriminator.loss").item();
  EXPECT_NEAR(figures.at("generator_loss"), told, 1e-5 * told);
  EXPECT_NEAR(figures.at("discriminator_loss"), judged, 1e-5 * judged);
  EXPECT_NEAR(criterion.loss(), told + 50.0 * judged, 1e-5 * (told + 50.0 * judged));
  const std::map<std::string, Tensor> gradients = gradients_of(both.parameters());
  expect_gradients("generator", generator, gradients);
  expect_gradients("discriminator", discriminator, gradients);
  EXPECT_EQ(gradients.contains("generator.embedding.weight"), !GetParam());
}

INSTANTIATE_TEST_SUITE_P(Embeddings, ReplacedGolden, testing::Bool(),
                         [](const auto& which) { return which.param ? "shared" : "apart"; });

TEST(DrawnToken, FollowsTheDistribution) {
  const std::vector<float> logits{0.0f, std::log(3.0f), -INFINITY, std::log(4.0f)};
  EXPECT_EQ(drawn_token(logits, 0.0), 0);
  EXPECT_EQ(drawn_token(logits, 0.124), 0);
  EXPECT_EQ(drawn_token(logits, 0.126), 1);
  EXPECT_EQ(drawn_token(logits, 0.499), 1);
  EXPECT_EQ(drawn_token(logits, 0.501), 3);
  EXPECT_EQ(drawn_token(logits, 1.0 - 0x1p-53), 3);
  std::vector<int> counts(4, 0);
  Rng rng(1, 2);
  for (int i = 0; i < 8000; ++i) ++counts[static_cast<size_t>(drawn_token(logits, rng.uniform()))];
  EXPECT_NEAR(counts[0], 1000, 120);
  EXPECT_NEAR(counts[1], 3000, 180);
  EXPECT_EQ(counts[2], 0);
}

class ReplacedTokensTest : public testing::Test {
 protected:
  static Encoder tiny(Head head, int64_t heads, uint64_t seed) {
    model::ModelConfig config = model::tiny_config("electra");
    config.embedding_size = 8;
    config.head_dim = 4;
    config.heads = heads;
    config.hidden = 4 * heads;
    return Encoder::create(model::with_head(config.resolved(), {.head = head}).value(), seed).value();
  }
  std::unique_ptr<ReplacedTokens> criterion() const {
    std::vector<TextTokens> texts;
    for (uint64_t i = 0; i < 12; ++i) {
      Rng rng(i, 9);
      TextTokens& text = texts.emplace_back();
      for (uint64_t t = 0; t < 4 + i; ++t) text.ids.push_back(static_cast<int32_t>(5 + rng.below(43)));
    }
    return std::make_unique<ReplacedTokens>(
        generator_, discriminator_, no_special_tokens(48), std::move(texts),
        MaskOptions{.share = 0.3, .hidden = 1.0, .replaced = 0.0, .seed = 6}, 50.0);
  }
  Encoder generator_ = tiny(Head::masked_lm, 1, 4), discriminator_ = tiny(Head::discriminator, 4, 5);
};

TEST_F(ReplacedTokensTest, StepsInPartsAreWholeSteps) {
  ASSERT_TRUE(generator_.share_embeddings(discriminator_).ok());
  GeneratorAndDiscriminator both(generator_, discriminator_);
  std::vector<std::map<std::string, Tensor>> gradients;
  std::vector<double> losses;
  for (const int64_t micro : {0, 3}) {
    EncoderObjective objective(criterion(), nullptr, {.batch = 8, .micro_batch = micro, .dropout = false});
    losses.push_back(objective.accumulate({.step = 1, .micro_batches = 4, .scale = 1.0}).value().loss);
    gradients.push_back(gradients_of(both.parameters()));
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-5);
  ASSERT_EQ(gradients[0].size(), gradients[1].size());
  for (const auto& [name, gradient] : gradients[0])
    EXPECT_LE(model::max_difference(gradient, gradients[1].at(name)), 2e-5)
        << name;  // of losses 50 times as large
}

TEST_F(ReplacedTokensTest, AreEvaluatedWithAllFigures) {
  EncoderObjective objective(criterion(), criterion(), {.batch = 5});
  const auto first = objective.evaluate(0).value(), again = objective.evaluate(9).value();
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->loss, again->loss);
  for (const char* name : {"generator_loss", "discriminator_loss", "precision", "recall", "f1", "accuracy"})
    EXPECT_TRUE(first->figure(name).has_value()) << name;
  EXPECT_NEAR(first->loss, *first->figure("generator_loss") + 50.0 * *first->figure("discriminator_loss"),
              1e-9);
}

TEST_F(ReplacedTokensTest, AreSavedAndRestoredTogether) {
  ASSERT_TRUE(generator_.share_embeddings(discriminator_).ok());
  GeneratorAndDiscriminator both(generator_, discriminator_);
  const std::filesystem::path folder = test::process_temp_dir() / "both";
  both.save(folder, true).value();
  std::map<std::string, Tensor> before;
  both.parameters().visit([&](const std::string& name, nn::Parameter& p) {
    before[name] = p.master().clone();
    for (float& value : p.master().span<float>()) value += 1.0f;
  });
  both.restore(folder).value();
  both.parameters().visit([&](const std::string& name, nn::Parameter& p) {
    EXPECT_TRUE(model::same_bits(p.master(), before.at(name))) << name;
  });
  EXPECT_EQ(model::load_encoder(folder).value().config().head, Head::discriminator);
  EXPECT_EQ(model::load_encoder(folder / "generator").value().config().head, Head::masked_lm);
}

TEST_F(ReplacedTokensTest, ShareOnlyTablesOfOneSize) {
  model::ModelConfig wider = model::tiny_config("electra");
  wider.embedding_size = 12;
  Encoder other =
      Encoder::create(model::with_head(wider.resolved(), {.head = Head::masked_lm}).value(), 1).value();
  const Result<void> shared = other.share_embeddings(discriminator_);
  ASSERT_FALSE(shared.ok());
  EXPECT_EQ(shared.error().code, ErrorCode::conflict);
}

}  // namespace
}  // namespace quern::encoding
