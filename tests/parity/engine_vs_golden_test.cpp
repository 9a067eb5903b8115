// Ten AdamW steps of the engine on every golden: the losses that torch recorded.
#include <gtest/gtest.h>

#include "engine.h"
#include "formats/safetensors.h"
#include "support/source_dir.h"

namespace quern::parity {
namespace {

class EngineVsGolden : public testing::TestWithParam<const char*> {};

TEST_P(EngineVsGolden, TenStepsOfAdamW) {
  const std::filesystem::path folder = std::filesystem::path(QUERN_SOURCE_DIR) / "tests/golden" / GetParam();
  const auto expected = formats::TensorArchive::open(folder / "expected.safetensors").value();
  const auto ids = [&](const char* name) {
    const Tensor tensor = expected.tensor(name).value();
    return std::vector<int>(tensor.data<int64_t>(), tensor.data<int64_t>() + tensor.numel());
  };
  const Shape shape = expected.tensor("input_ids").value().shape();
  model::Decoder model = model::load_model(folder, {.trainable = true}).value();
  train::AdamW optimizer(model, {});
  for (float wanted : expected.tensor("losses").value().span<float>()) {
    const Tensor loss = mean_loss(model, ids("input_ids"), ids("targets"), shape[0], shape[1]);
    EXPECT_NEAR(loss.item(), wanted, 1e-5) << "after " << optimizer.steps() << " steps";
    autograd::backward(loss);
    optimizer.step(1e-3, 1.0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EngineVsGolden,
                         testing::Values("gpt2", "llama/untied", "llama/tied", "llama/llama3_rope"));

}  // namespace
}  // namespace quern::parity
