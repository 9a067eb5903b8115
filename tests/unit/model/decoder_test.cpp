#include "model/decoder.h"

#include <gtest/gtest.h>

#include <map>

#include "autograd/graph.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

struct Moments {
  double mean = 0.0, deviation = 0.0;
};

Moments moments(const Tensor& values) {
  double sum = 0.0, squares = 0.0;
  for (const float value : values.span<float>()) sum += value, squares += double{value} * value;
  const double n = static_cast<double>(values.numel()), mean = sum / n;
  return {mean, std::sqrt(squares / n - mean * mean)};
}

TEST(Decoder, StartsWithTheDistributionsOfGpt2) {
  ModelConfig config = tiny_config("gpt2");
  config.hidden = 128;
  config.intermediate = 512;
  config.layers = 8;
  config.init_std = 0.02;
  nn::visit(Decoder::create(config, 1).value(), [](const std::string& name, const nn::Parameter& p) {
    if (!p.is_matrix()) {
      const double start = name.find("norm.weight") != std::string::npos ? 1.0 : 0.0;
      for (const float value : p.master().span<float>()) ASSERT_EQ(value, start) << name;
      return;
    }
    const bool residual = name.ends_with("attention.o.weight") || name.ends_with("mlp.down.weight");
    const double std = residual ? 0.02 / 4.0 : 0.02;
    const auto [mean, deviation] = moments(p.master());
    EXPECT_NEAR(deviation, std, 0.05 * std) << name;
    EXPECT_NEAR(mean, 0.0, 4.0 * std / std::sqrt(static_cast<double>(p.shape().numel()))) << name;
  });
}

TEST(Decoder, FirstValuesDependOnSeedAndNameOnly) {
  const auto values = [](int64_t layers, uint64_t seed) {
    ModelConfig config = tiny_config("llama");
    config.layers = layers;
    std::map<std::string, Tensor> all;
    nn::visit(Decoder::create(config, seed).value(),
              [&](const std::string& name, const nn::Parameter& p) { all[name] = p.master(); });
    return all;
  };
  const auto shallow = values(1, 1), deep = values(3, 1), other = values(1, 2);
  const std::string q = "blocks.0.attention.q.weight";
  EXPECT_TRUE(same_bits(shallow.at(q), deep.at(q)));
  EXPECT_FALSE(same_bits(shallow.at(q), other.at(q)));
  EXPECT_FALSE(same_bits(deep.at(q), deep.at("blocks.1.attention.q.weight")));
}

TEST(Decoder, CountsATiedMatrixOnce) {
  ModelConfig config = tiny_config("llama");
  const int64_t untied = nn::parameter_count(Decoder::create(config).value());
  config.tied_embeddings = true;
  EXPECT_EQ(untied - nn::parameter_count(Decoder::create(config).value()), 48 * 16);
  EXPECT_EQ(untied, 48 * 16 * 2 + 16 + 2 * (2 * 16 + 2 * 16 * 16 + 2 * 8 * 16 + 3 * 24 * 16));
}

TEST(Decoder, LossIsTheWeightedSumOfCrossEntropies) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const autograd::NoGrad no_grad;
  const Tensor tokens = random_tokens(1, 4, 48, 1);
  const Tensor targets = Tensor::from(std::vector<int32_t>{5, -1, 7, 9}, {1, 4});
  const Tensor weights = Tensor::from(std::vector<float>{1.0f, 3.0f, 0.0f, 0.5f}, {1, 4});
  const Tensor states = model.hidden(tokens, nn::ForwardContext::causal(1, 4));
  const Tensor logits = model.logits(states);
  EXPECT_EQ(logits.shape(), (Shape{1, 4, 48}));
  double wanted = 0.0;
  for (const int64_t row : {0, 3}) {
    const float* values = logits.data<float>() + row * 48;
    double sum = 0.0;
    for (int64_t v = 0; v < 48; ++v) sum += std::exp(double{values[v]});
    wanted += weights.data<float>()[row] * (std::log(sum) - values[targets.data<int32_t>()[row]]);
  }
  EXPECT_NEAR(model.loss(states, targets, weights).item(), wanted, 1e-4);
}

TEST(Decoder, DropoutActsWhileTrainingOnly) {
  ModelConfig config = tiny_config("gpt2");
  config.dropout = 0.3;
  const Decoder model = Decoder::create(config, 1).value();
  const Tensor tokens = random_tokens(1, 8, 48, 1);
  const auto states = [&](bool enabled, uint64_t step) {
    nn::ForwardContext context = nn::ForwardContext::causal(1, 8);
    context.dropout = {enabled, 5, step};
    const autograd::NoGrad no_grad;
    return model.hidden(tokens, context);
  };
  EXPECT_TRUE(same_bits(states(false, 0), states(false, 1)));
  EXPECT_FALSE(same_bits(states(true, 0), states(false, 0)));
  EXPECT_TRUE(same_bits(states(true, 1), states(true, 1)));
  EXPECT_FALSE(same_bits(states(true, 1), states(true, 2)));
}

TEST(Decoder, RefreshedShadowsFollowTheMasters) {
  Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  model.set_compute_dtype(DType::bf16);
  model.visit([](const std::string& name, nn::Parameter& p) {
    EXPECT_EQ(p.shadow().defined(), p.is_matrix()) << name;
    p.master().fill(0.25);
  });
  nn::refresh_shadows(model);
  model.visit([](const std::string& name, nn::Parameter& p) {
    EXPECT_EQ(max_difference(p.value(), Tensor::full(p.shape(), 0.25)), 0.0) << name;
  });
  model.set_compute_dtype(DType::f32);
  model.visit([](const std::string& name, nn::Parameter& p) { EXPECT_FALSE(p.shadow().defined()) << name; });
}

TEST(Decoder, RefusesInputsThatDoNotFit) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const autograd::NoGrad no_grad;
  const auto message = [&](const Tensor& tokens, const nn::ForwardContext& context) -> std::string {
    try {
      model.hidden(tokens, context);
    } catch (const ShapeError& error) {
      return error.error().message;
    }
    return "";
  };
  const Tensor tokens = random_tokens(1, 4, 48, 1);
  EXPECT_EQ(message(tokens, nn::ForwardContext::causal(1, 4)), "");
  EXPECT_NE(message(tokens, nn::ForwardContext::causal(2, 4))
                .find("expected a context of i32[1, 4], got i32[2, 4]"),
            std::string::npos);
  EXPECT_NE(
      message(tokens.reshaped({4}), nn::ForwardContext::causal(1, 4)).find("tokens i32[B, T], got i32[4]"),
      std::string::npos);
  EXPECT_NE(message(random_tokens(1, 25, 48, 1), nn::ForwardContext::causal(1, 25))
                .find("positions below max_positions 24, got 24"),
            std::string::npos);
  EXPECT_NE(message(Tensor::full({1, 4}, 48, DType::i32), nn::ForwardContext::causal(1, 4)), "");
}

TEST(Decoder, RefusesAnImpossibleConfig) {
  ModelConfig config = tiny_config("gpt2");
  config.kv_heads = 3;
  EXPECT_EQ(Decoder::create(config).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace quern::model
