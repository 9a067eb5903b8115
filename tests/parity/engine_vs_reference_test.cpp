// The engine (tiled attention, fused loss, SIMD kernels, tape) against the reference program (plain loops):
// loss, every gradient and ten AdamW steps, on shapes that are no multiple of any tile.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "compare.h"
#include "engine.h"
#include "gpt_reference.h"

namespace quern::parity {
namespace {

class EngineVsReference : public testing::Test {
 protected:
  static constexpr int B = 3, T = 19;
  const gpt_reference::Config config_{.V = 131, .N = 24, .C = 36, .H = 3, .L = 3};
  model::Decoder model_ = random_model();
  gpt_reference::Weights weights_ = weights_of(model_);
  std::vector<int> tokens_ = random_ids(1), targets_ = random_ids(2);

  // Norm weights are not 1, biases not 0, attention is not uniform.
  model::Decoder random_model() const {
    model::ModelConfig config = model::find_family("gpt2").value()->defaults();
    config.vocab_size = config_.V;
    config.max_positions = config_.N;
    config.hidden = config_.C;
    config.heads = config_.H;
    config.layers = config_.L;
    config.init_std = 0.2;
    model::Decoder model = model::Decoder::create(config, 5).value();
    Rng rng(6, 0);
    model.visit([&](const std::string&, nn::Parameter& parameter) {
      for (float& value : parameter.master().span<float>()) value += static_cast<float>(0.1 * rng.normal());
    });
    return model;
  }
  gpt_reference::Weights weights_of(model::Decoder& model) const {
    gpt_reference::Weights weights(config_);
    std::map<std::string, gpt_reference::Buffer*> buffers;
    for (const auto& [name, values, is_matrix] : weights.parameters()) buffers[name] = values;
    visit_published(model, value_of, [&](const std::string& name, const std::vector<float>& values) {
      EXPECT_EQ(buffers.at(name)->size(), values.size()) << name;
      *buffers.at(name) = values;
    });
    return weights;
  }
  std::vector<int> random_ids(uint64_t stream) const {
    Rng rng(7, stream);
    std::vector<int> ids(B * T);
    for (int& id : ids) id = static_cast<int>(rng.below(static_cast<uint64_t>(config_.V)));
    return ids;
  }
  double reference_loss() const {
    return gpt_reference::loss(config_, gpt_reference::forward(config_, weights_, tokens_, B, T).logits,
                               targets_);
  }
  gpt_reference::Weights reference_gradient() const {
    const auto acts = gpt_reference::forward(config_, weights_, tokens_, B, T);
    return gpt_reference::backward(config_, weights_, acts, tokens_, targets_, B, T);
  }
};

TEST_F(EngineVsReference, LossAndEveryGradient) {
  const Tensor loss = mean_loss(model_, tokens_, targets_, B, T);
  EXPECT_NEAR(loss.item(), reference_loss(), 1e-5);
  autograd::backward(loss);
  std::map<std::string, std::vector<float>> gradients;
  visit_published(model_, gradient_of, [&](const std::string& name, const std::vector<float>& values) {
    gradients[name] = values;
  });
  auto expected = reference_gradient();
  for (const auto& [name, values, is_matrix] : expected.parameters()) {
    EXPECT_LT(relative_difference(gradients.at(name), *values), 1e-5) << name;
    gradients.erase(name);
  }
  EXPECT_TRUE(gradients.empty());
}

TEST_F(EngineVsReference, TenStepsOfAdamW) {
  constexpr double kLr = 1e-3;
  train::AdamW engine(model_, {});
  gpt_reference::AdamW reference(config_);
  reference.lr = kLr;
  for (int step = 0; step < 10; ++step) {
    const Tensor loss = mean_loss(model_, tokens_, targets_, B, T);
    EXPECT_NEAR(loss.item(), reference_loss(), 1e-5) << "step " << step;
    autograd::backward(loss);
    engine.step(kLr, 1.0);
    auto gradient = reference_gradient();
    reference.update(weights_, gradient);
  }
  auto reached = weights_of(model_);
  const auto expected = weights_.parameters();
  for (size_t n = 0; n < expected.size(); ++n) {
    // The gradient of a key bias is zero but for rounding (it shifts all scores of a query alike), and AdamW
    // makes steps of full size of it.
    if (expected[n].name.ends_with("c_attn.bias")) continue;
    EXPECT_LT(relative_difference(*reached.parameters()[n].values, *expected[n].values), 2e-5)
        << expected[n].name;
  }
}

}  // namespace
}  // namespace quern::parity
