// The gradient of a whole model in f64 against central differences along random directions of every
// parameter.
#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "unit/model/central_differences.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

struct GradientCase {
  const char* name;
  ModelConfig (*config)();
};

const GradientCase kCases[] = {
    {"gpt2", [] { return tiny_config("gpt2"); }},
    {"llama", [] { return tiny_config("llama"); }},
    {"parallel_alibi_window",
     [] {
       ModelConfig c = tiny_config("gpt2");
       c.layout = nn::BlockLayout::parallel;
       c.positions = Positions::alibi;
       c.window = 3;
       return c;
     }},
    {"post_norm_softcaps_qk_norm",
     [] {
       ModelConfig c = tiny_config("llama");
       c.layout = nn::BlockLayout::post_norm;
       c.attention_softcap = 2.0;
       c.logit_softcap = 3.0;
       c.qk_norm = nn::QkNorm::head;
       c.norm_offset = 1.0;
       c.embedding_scale = 4.0;
       c.tied_embeddings = true;
       return c;
     }},
    {"branch_norm_whole_qk_norm", [] { return tiny_config("olmo2"); }},
    {"experts_renormalised", [] { return tiny_config("mixtral"); }},
    {"experts_beside_a_shared_one",
     [] {
       ModelConfig c = tiny_config("qwen2_moe");
       c.dense_layers = {1};
       return c;
     }},
    {"sandwich_local_rope_nope",
     [] {
       ModelConfig c = tiny_config("gemma3_text");
       c.window = 3;
       c.full_layers = {1};
       c.nope_layers = {1};
       return c;
     }},
};

class Gradient : public testing::TestWithParam<GradientCase> {
 protected:
  // A weighted loss over two packed rows, one target ignored.
  double loss(bool backward) {
    const Tensor tokens = random_tokens(2, 6, model_.config().vocab_size, 1);
    Tensor targets = random_tokens(2, 6, model_.config().vocab_size, 2);
    targets.span<int32_t>()[4] = -1;
    const Tensor positions = Tensor::from(std::vector<int32_t>{0, 1, 2, 3, 0, 1, 0, 1, 2, 3, 4, 5}, {2, 6});
    Tensor weights({2, 6}, DType::f64);
    for (int64_t i = 0; i < 12; ++i) weights.data<double>()[i] = 0.1 + 0.05 * static_cast<double>(i);
    const Tensor total =
        model_.loss(model_.hidden(tokens, nn::ForwardContext::packed(positions)), targets, weights);
    if (backward) autograd::backward(total);
    return total.item();
  }

  Decoder model_ = Decoder::create(GetParam().config(), 5, DType::f64).value();
};

TEST_P(Gradient, AgreesWithCentralDifferences) {
  const auto gradients = gradients_after(model_, [&] { loss(true); });
  expect_central_differences(model_, gradients, [&] { return loss(false); });
}

INSTANTIATE_TEST_SUITE_P(Configs, Gradient, testing::ValuesIn(kCases),
                         [](const auto& which) { return which.param.name; });

}  // namespace
}  // namespace quern::model
