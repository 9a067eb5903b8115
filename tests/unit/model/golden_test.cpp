// Decoder against tiny checkpoints recorded from transformers (tools/goldens): logits, loss, the gradient of
// every parameter and greedy generation.
#include "support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "autograd/graph.h"
#include "formats/safetensors.h"
#include "model/family.h"
#include "model/load.h"
#include "model/tensor_layout.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using quern::test::kGolden;

// One recorded checkpoint and what transformers computed with it.
class Golden : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const { return kGolden / GetParam(); }
  Tensor expected(const std::string& name) const { return archive_.tensor(name).value(); }
  Tensor ids(const std::string& name) const { return expected(name).to(DType::i32); }
  // The mean loss over every position, as recorded.
  Tensor loss(const Decoder& model) const {
    const Tensor tokens = ids("input_ids");
    const Tensor states = model.hidden(tokens, nn::ForwardContext::causal(tokens.dim(0), tokens.dim(1)));
    const Tensor weights = Tensor::full(tokens.shape(), 1.0 / static_cast<double>(tokens.numel()));
    return model.loss(states, ids("targets"), weights);
  }

  formats::TensorArchive archive_ = formats::TensorArchive::open(folder() / "expected.safetensors").value();
};

TEST_P(Golden, LogitsAgree) {
  const Decoder model = load_model(folder()).value();
  const autograd::NoGrad no_grad;
  const Tensor tokens = ids("input_ids");
  const Tensor states = model.hidden(tokens, nn::ForwardContext::causal(tokens.dim(0), tokens.dim(1)));
  const double difference = max_difference(model.logits(states), expected("logits"));
  RecordProperty("largest_difference", std::to_string(difference));
  EXPECT_LE(difference, 1e-4);
}

// Families that bring mathematics of their own: their gradients are recorded too.
class GoldenGradients : public Golden {};

TEST_P(GoldenGradients, LossAndEveryGradientAgree) {
  Decoder model = load_model(folder(), {.trainable = true}).value();
  const Tensor total = loss(model);
  EXPECT_NEAR(total.item(), expected("loss").item(), 1e-5);
  autograd::backward(total);

  std::map<std::string, Tensor> gradients;
  model.visit([&](const std::string& name, nn::Parameter& parameter) { gradients[name] = parameter.grad(); });
  size_t compared = 0;
  for (const TensorName& name : find_family(model.config().family).value()->tensors(model.config())) {
    std::vector<Tensor> parts;
    for (const std::string& parameter : name.parameters) {
      ASSERT_TRUE(gradients.at(parameter).defined()) << parameter;
      parts.push_back(gradients.at(parameter));
      ++compared;
    }
    EXPECT_LE(max_difference(join(name, parts), expected("grad." + name.file)), 2e-5) << name.file;
  }
  EXPECT_EQ(compared, gradients.size()) << "the family names every parameter once";
}

TEST_P(Golden, GreedyGenerationWithTheCacheAgrees) {
  Decoder model = load_model(folder()).value();
  model.set_cache_dtype(DType::f32);
  const autograd::NoGrad no_grad;
  const Tensor generated = ids("generated"), prompt = ids("prompt");
  nn::ContiguousKvCache cache = model.make_cache({.capacity = prompt.numel() + generated.numel()});
  Tensor tokens = prompt.reshaped({1, prompt.numel()});
  for (const int32_t wanted : generated.span<int32_t>()) {
    const Tensor states = model.hidden(tokens, cache.next(tokens.dim(1)));
    cache.commit(tokens.dim(1));
    const Tensor logits = model.logits(
        states.reshaped({tokens.dim(1), states.dim(2)}).sliced(tokens.dim(1) - 1, tokens.dim(1)));
    const auto row = logits.span<float>();
    ASSERT_EQ(std::ranges::max_element(row) - row.begin(), wanted);
    tokens = Tensor::from(std::vector<int32_t>{wanted}, {1, 1});
  }
}

constexpr const char* kWithGradients[] = {"gpt2",
                                          "llama/untied",
                                          "llama/tied",
                                          "llama/llama3_rope",
                                          "families/gemma2",
                                          "families/gemma3_text",
                                          "families/olmo2",
                                          "families/phi",
                                          "families/phi_norms",
                                          "families/opt_narrow",
                                          "families/mpt_clip"};
constexpr const char* kWithout[] = {"families/mistral",
                                    "families/qwen2",
                                    "families/qwen3",
                                    "families/gemma",
                                    "families/phi3",
                                    "families/starcoder2",
                                    "families/smollm3",
                                    "families/opt",
                                    "families/mpt",
                                    "families/falcon",
                                    "families/falcon_groups",
                                    "families/falcon_alibi",
                                    "families/gpt_neox",
                                    "families/mixtral",
                                    "families/qwen2_moe",
                                    "families/qwen3_moe",
                                    "families/qwen2_moe_windows",
                                    "families/qwen3_moe_window"};

std::string name_of_case(const testing::TestParamInfo<const char*>& which) {
  std::string name = which.param;
  std::ranges::replace(name, '/', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Transformers, Golden, testing::ValuesIn(kWithGradients), name_of_case);
INSTANTIATE_TEST_SUITE_P(Families, Golden, testing::ValuesIn(kWithout), name_of_case);
INSTANTIATE_TEST_SUITE_P(Transformers, GoldenGradients, testing::ValuesIn(kWithGradients), name_of_case);

}  // namespace
}  // namespace quern::model
