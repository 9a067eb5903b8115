// The gradient of whole encoder-decoders in f64 against central differences, with the dropout of training, and where blocks
// are computed again.
#include <gtest/gtest.h>

#include "model/encoder_decoder.h"
#include "unit/model/central_differences.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

class EncoderDecoderGradient : public testing::TestWithParam<const char*> {
 protected:
  static ModelConfig config() {
    ModelConfig c = tiny_config(GetParam());
    c.relative_buckets = 8;
    c.relative_max_distance = 16;
    c.dropout = 0.2;
    c.activation = ops::Activation::gelu_erf;  // without a corner
    return c;
  }
  double loss(bool backward, bool again = false) {
    const nn::DropoutState dropout{.enabled = true, .seed = 9, .step = 3};
    nn::ForwardContext reading = nn::ForwardContext::padded(std::vector<int64_t>{6, 4}, 6);
    nn::ForwardContext writing = nn::ForwardContext::causal(2, 5);
    reading.dropout = writing.dropout = dropout;
    reading.checkpoint = writing.checkpoint = again;
    const Tensor states = model_.encoder().hidden(random_tokens(2, 6, 48, 1), reading);
    writing.source = model_.decoder().source(states, {6, 4});
    const Tensor targets = Tensor::from(std::vector<int32_t>{3, 5, 7, -1, 2, 9, 8, 4, -1, -1}, {2, 5});
    const Tensor total =
        model_.decoder().loss(model_.decoder().hidden(random_tokens(2, 5, 48, 2), writing), targets, {});
    if (backward) autograd::backward(total);
    return total.item();
  }

  EncoderDecoder model_ = EncoderDecoder::create(config(), 5, DType::f64).value();
};

TEST_P(EncoderDecoderGradient, AgreesWithCentralDifferences) {
  const auto gradients = gradients_after(model_, [&] { loss(true); });
  expect_central_differences(model_, gradients, [&] { return loss(false); });
}

TEST_P(EncoderDecoderGradient, IsTheSameWhereBlocksAreComputedAgain) {
  const auto all = gradients_after(model_, [&] { loss(true); });
  const auto again = gradients_after(model_, [&] { loss(true, true); });
  for (const auto& [name, gradient] : all) EXPECT_LE(max_difference(gradient, again.at(name)), 1e-12) << name;
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderDecoderGradient, testing::Values("t5", "bart"));

}  // namespace
}  // namespace quern::model
