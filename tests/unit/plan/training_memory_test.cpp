#include "plan/training_memory.h"

#include <gtest/gtest.h>

#include "model/presets.h"
#include "plan/parameters.h"
#include "unit/plan/preset.h"

namespace quern::plan {
namespace {

using test::preset;

TEST(TrainingMemory, FullStateIsSixteenBytesPerParameterAndCopies) {
  const model::Decoder model = preset("gpt2");
  const TrainingSetup f32{.batch = 1, .sequence = 64, .dtype = DType::f32, .rank = 1, .targets = {}};
  const TrainingMemory wide = training_memory(model, f32, TrainingMethod::full).value();
  EXPECT_EQ(wide.weights + wide.gradients + wide.moments, 16 * int64_t{124439808});
  EXPECT_EQ(wide.copies, 0);
  TrainingSetup bf16 = f32;
  bf16.dtype = DType::bf16;
  const TrainingMemory narrow = training_memory(model, bf16, TrainingMethod::full).value();
  EXPECT_EQ(narrow.weights, wide.weights);
  const int64_t norms = 2 * 2 * 768, biases = 3 * 768 + 768 + 4 * 768 + 768;
  const int64_t vectors = 12 * (norms + biases) + 2 * 768;
  EXPECT_EQ(narrow.copies, 2 * (124439808 - vectors));
  EXPECT_LT(narrow.activations, wide.activations);
}

// peft on Llama 2 7B, r = 8 on q and v: 4,194,304 trainable parameters; all seven projections: 19,988,480.
TEST(TrainingMemory, LoraTrainsWhatPeftTrains) {
  const model::Decoder model = preset("llama-2-7b");
  TrainingSetup setup{.batch = 1, .sequence = 512, .dtype = DType::bf16, .rank = 8, .targets = {"q", "v"}};
  EXPECT_EQ(training_memory(model, setup, TrainingMethod::lora).value().trainable, 4194304);
  setup.targets.clear();
  const TrainingMemory all = training_memory(model, setup, TrainingMethod::lora).value();
  EXPECT_EQ(all.trainable, 19988480);
  EXPECT_EQ(all.gradients + all.moments, 12 * all.trainable);
}

// Dettmers et al. 2023: 4.127 bits per parameter of a quantised matrix; the rest stays in 16 bits.
TEST(TrainingMemory, QloraKeepsBlocksInFourBits) {
  EXPECT_NEAR(kNf4Bits, 4.127, 5e-4);
  const model::Decoder model = preset("llama-2-7b");
  const TrainingSetup setup{.batch = 1, .sequence = 512, .dtype = DType::bf16, .rank = 8, .targets = {"q"}};
  const TrainingMemory lora = training_memory(model, setup, TrainingMethod::lora).value();
  const TrainingMemory qlora = training_memory(model, setup, TrainingMethod::qlora).value();
  const double blocks = 32.0 * (4 * 4096.0 * 4096 + 3 * 4096.0 * 11008);
  EXPECT_NEAR(static_cast<double>(lora.weights - qlora.weights), blocks * (16 - kNf4Bits) / 8, 16);
  EXPECT_EQ(qlora.workspace, 2 * 4096 * 11008);
}

TEST(TrainingMemory, UnknownTargetsAreToldTheNearest) {
  const TrainingSetup setup{.batch = 1, .sequence = 1, .dtype = DType::bf16, .rank = 8, .targets = {"gates"}};
  const auto memory = training_memory(preset("llama-2-7b"), setup, TrainingMethod::lora);
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(memory.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(memory.error().hint, "did you mean 'gate'?");
}

TEST(ParameterCount, PartsOfLlamaAddUp) {
  const ParameterCount p = count_parameters(preset("llama-3-8b"));
  EXPECT_EQ(p.embedding, int64_t{128256} * 4096);
  EXPECT_EQ(p.head, p.embedding);
  EXPECT_EQ(p.attention, int64_t{32} * (2 * 4096 * 4096 + 2 * 1024 * 4096));
  EXPECT_EQ(p.mlp, int64_t{32} * 3 * 4096 * 14336);
  EXPECT_EQ(p.norms, (2 * 32 + 1) * 4096);
  EXPECT_EQ(p.positions, 0);
  EXPECT_EQ(p.total(), 8030261248);
}

}  // namespace
}  // namespace quern::plan
