// The gradient of whole encoders in f64 against central differences along random directions of every parameter, with the
// dropout of training.
#include <gtest/gtest.h>

#include <map>

#include "autograd/graph.h"
#include "model/encoder.h"
#include "ops/binary.h"
#include "ops/reduce.h"
#include "unit/model/central_differences.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

struct EncoderCase {
  const char* name;
  const char* family;
  Head head;
  ops::Activation activation = ops::Activation::identity;
};

const EncoderCase kEncoderCases[] = {
    {"bert_words", "bert", Head::masked_lm, ops::Activation::gelu_erf},
    {"bert_labels", "bert", Head::sequence_classification, ops::Activation::tanh},
    {"bert_pooler", "bert", Head::none, ops::Activation::tanh},
    {"roberta_labels_of_tokens", "roberta", Head::token_classification},
    {"distilbert_spans", "distilbert", Head::question_answering},
    {"albert_shared_blocks", "albert", Head::masked_lm, ops::Activation::gelu_tanh},
    {"electra_discriminator", "electra", Head::discriminator, ops::Activation::gelu_erf},
    {"mpnet_words", "mpnet", Head::masked_lm, ops::Activation::gelu_erf},
    {"deberta_labels", "deberta-v2", Head::sequence_classification, ops::Activation::gelu_erf},
    {"deberta_words", "deberta-v2", Head::masked_lm, ops::Activation::gelu_erf},
};

ModelConfig config_of(const EncoderCase& which) {
  ModelConfig c = tiny_config(which.family);
  c.head = which.head;
  c.head_activation = which.activation;
  c.dropout = 0.2;
  c.relative_buckets = 8;
  c.relative_max_distance = 16;
  if (c.family == std::string("albert") || c.family == std::string("electra")) c.embedding_size = 8;
  if (c.family == std::string("albert")) c.distinct_layers = 1;
  if (c.head == Head::sequence_classification || c.head == Head::token_classification)
    c.labels = {"a", "b", "c"};
  return c;
}

class EncoderGradient : public testing::TestWithParam<EncoderCase> {
 protected:
  double loss(bool backward, bool again = false) {
    const Tensor tokens = random_tokens(2, 6, model_.config().vocab_size, 1);
    const bool segments = model_.config().token_types > 1;
    const Tensor types = segments ? random_tokens(2, 6, 2, 8) : Tensor();
    nn::ForwardContext context = nn::ForwardContext::padded(std::vector<int64_t>{6, 4}, 6);
    context.dropout = {.enabled = true, .seed = 9, .step = 3};
    context.checkpoint = again;
    const Tensor states = model_.hidden(tokens, context, types);
    Tensor total;
    if (model_.config().head == Head::masked_lm) {
      const Tensor targets =
          Tensor::from(std::vector<int32_t>{3, -1, 7, -1, 2, 9, -1, 4, 5, 1, -1, -1}, {2, 6});
      Tensor weights({12}, DType::f64);
      for (int64_t i = 0; i < 12; ++i) weights.data<double>()[i] = 0.1 + 0.05 * static_cast<double>(i);
      total = model_.loss(states, targets, weights);
    } else {
      const Tensor outputs = model_.head(states, context.dropout);
      Tensor factors(outputs.shape(), DType::f64);
      Rng rng(11, 2);
      for (double& factor : factors.span<double>()) factor = rng.normal();
      if (outputs.shape().rank() == 3) {  // of padding nothing is asked
        for (int64_t i = 10 * outputs.dim(2); i < outputs.numel(); ++i) factors.data<double>()[i] = 0.0;
      }
      total = ops::sum(ops::mul(ops::mul(outputs, outputs), factors));
    }
    if (backward) autograd::backward(total);
    return total.item();
  }

  std::map<std::string, Tensor> gradients(bool again) {
    return gradients_after(model_, [&] { loss(true, again); });
  }

  Encoder model_ = Encoder::create(config_of(GetParam()), 5, DType::f64).value();
};

TEST_P(EncoderGradient, AgreesWithCentralDifferences) {
  expect_central_differences(model_, gradients(false), [&] { return loss(false); });
}

TEST_P(EncoderGradient, IsTheSameWhereBlocksAreComputedAgain) {
  const std::map<std::string, Tensor> all = gradients(false), again = gradients(true);
  for (const auto& [name, gradient] : all) EXPECT_LE(max_difference(gradient, again.at(name)), 1e-12) << name;
}

INSTANTIATE_TEST_SUITE_P(Encoders, EncoderGradient, testing::ValuesIn(kEncoderCases),
                         [](const auto& which) { return which.param.name; });

}  // namespace
}  // namespace quern::model
