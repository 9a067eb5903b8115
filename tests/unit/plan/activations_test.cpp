#include "plan/activations.h"

#include <gtest/gtest.h>

#include <numeric>

#include "autograd/graph.h"
#include "base/threads.h"
#include "model/decoder.h"
#include "model/family.h"
#include "model/four_bit.h"
#include "model/lora.h"
#include "plan/training_memory.h"

namespace quern::plan {
namespace {

// Large enough that rounding and small tensors do not matter, small enough to run in milliseconds.
model::ModelConfig small_config(const char* family) {
  model::ModelConfig config = (*model::find_family(family))->defaults();
  config.vocab_size = 512;
  config.layers = 3;
  config.hidden = 128;
  config.heads = 4;
  config.kv_heads = std::string_view(family) == "llama" ? 2 : 0;
  config.max_positions = 128;
  return config;
}

constexpr int64_t kBatch = 2, kSequence = 64;

struct Measured {
  int64_t kept;  // between forward and backward, above the weights
  int64_t peak;  // over both, above the weights, with gradients of an earlier micro-batch in place
};

// What one forward and backward of the engine allocate.
Measured measure(const model::ModelConfig& config, DType dtype, bool checkpointing) {
  model::Decoder model = model::Decoder::create(config, 1).value();
  model.set_compute_dtype(dtype);
  const auto step = [&] {
    nn::ForwardContext context = nn::ForwardContext::causal(kBatch, kSequence);
    context.checkpoint = checkpointing;
    context.dropout.enabled = config.dropout > 0.0;
    const Tensor tokens({kBatch, kSequence},
                        DType::i32);  // of all kinds, so that every expert has its gradients
    std::iota(tokens.span<int32_t>().begin(), tokens.span<int32_t>().end(), 0);
    const Tensor weights = Tensor::full({kBatch * kSequence}, 1.0);
    return model.loss(model.hidden(tokens, context), tokens, weights);
  };
  set_num_threads(1);  // a few kilobytes of work: waking threads would take longer
  const int64_t weights = memory_stats().live;
  autograd::backward(step());
  reset_peak_memory();
  const int64_t before = memory_stats().live;
  const Tensor loss = step();
  const int64_t kept = memory_stats().live - before;
  autograd::backward(loss);
  return {kept, memory_stats().peak - weights};
}

void expect_ratio(int64_t got, int64_t wanted, double tolerance) {
  EXPECT_NEAR(static_cast<double>(got) / static_cast<double>(wanted), 1.0, tolerance)
      << got << " for " << wanted << " bytes";
}

// The loss also holds the gradient of the head, which training_memory() counts as workspace.
int64_t head_gradient(const model::ModelConfig& config) { return 4 * config.vocab_size * config.hidden; }

void expect_prediction(const model::ModelConfig& config, DType dtype, double tolerance = 0.01) {
  const ActivationMemory memory = activation_memory(config, kBatch, kSequence, dtype);
  const TrainingSetup setup{.batch = kBatch, .sequence = kSequence, .dtype = dtype, .rank = 1, .targets = {}};
  const TrainingMemory whole =
      training_memory(model::Decoder::create(config).value(), setup, TrainingMethod::full).value();
  for (const bool checkpointing : {false, true}) {
    SCOPED_TRACE(checkpointing ? "checkpointing" : "everything kept");
    const Measured measured = measure(config, dtype, checkpointing);
    expect_ratio(memory.kept(checkpointing) + head_gradient(config), measured.kept, tolerance);
    expect_ratio(whole.total(checkpointing) - whole.weights - whole.copies - whole.moments, measured.peak,
                 0.1);
  }
}

TEST(ActivationMemory, IsWhatTheEngineKeepsForGpt2) { expect_prediction(small_config("gpt2"), DType::f32); }

TEST(ActivationMemory, IsWhatTheEngineKeepsForLlamaWithGroupedQueries) {
  expect_prediction(small_config("llama"), DType::f32);
}

TEST(ActivationMemory, IsWhatTheEngineKeepsIn16Bits) {
  expect_prediction(small_config("llama"), DType::bf16);
}

TEST(ActivationMemory, IsWhatTheEngineKeepsWithDropoutNormedQueriesAndWindow) {
  model::ModelConfig config = small_config("llama");
  config.dropout = 0.1;
  config.qk_norm = nn::QkNorm::head;
  config.window = 16;
  config.embedding_scale = 2.0;
  expect_prediction(config, DType::f32);
}

TEST(ActivationMemory, IsWhatTheEngineKeepsInOtherLayouts) {
  model::ModelConfig config = small_config("gpt2");
  for (const nn::BlockLayout layout : {nn::BlockLayout::parallel, nn::BlockLayout::post_norm,
                                       nn::BlockLayout::branch_norm, nn::BlockLayout::sandwich}) {
    config.layout = layout;
    expect_prediction(config, DType::f32);
  }
}

TEST(ActivationMemory, IsWhatTheEngineKeepsOfLayersOfBothKinds) {
  model::ModelConfig config = small_config("llama");
  config.qk_norm = nn::QkNorm::whole;
  config.window = 16;
  config.full_layers = {1, 2};
  config.nope_layers = {2};
  config.local_rope_theta = 100.0;
  expect_prediction(config, DType::f32);
}

// Beside a LoRA on every linear map: what its maps read, which is what those beside it read, and A x.
TEST(ActivationMemory, IsWhatTheEngineKeepsBesideAdapters) {
  for (const bool four_bit : {false, true}) {
    const model::ModelConfig config = small_config("llama");
    model::Decoder model = model::Decoder::create(config, 1).value();
    if (four_bit) model::hold_in_nf4(model, DType::bf16).value();
    nn::set_trainable(model, false);
    model.set_compute_dtype(DType::bf16);
    nn::LoraAdapter adapter =
        model::make_lora(model, config, {.rank = 8, .alpha = 8.0, .targets = {"all-linear"}}, 7).value();
    nn::set_compute_dtype(adapter, DType::bf16);
    const nn::AdapterRows rows{&adapter};
    nn::ForwardContext context = nn::ForwardContext::causal(kBatch, kSequence);
    context.adapters = std::span(&rows, 1);
    const Tensor tokens = Tensor::zeros({kBatch, kSequence}, DType::i32);
    const int64_t before = memory_stats().live;
    const Tensor loss = model.loss(model.hidden(tokens, context), tokens, Tensor::full(tokens.shape(), 1.0));
    const int64_t kept = memory_stats().live - before;
    const TrainingSetup setup{
        .batch = kBatch, .sequence = kSequence, .dtype = DType::bf16, .rank = 8, .targets = {}};
    const ActivationMemory memory = activation_memory(config, kBatch, kSequence, DType::bf16);
    const TrainingMemory whole =
        training_memory(model, setup, four_bit ? TrainingMethod::qlora : TrainingMethod::lora).value();
    const int64_t wanted = whole.activations - memory.peak(false) + memory.kept(false);
    expect_ratio(kept, wanted, 0.05);
  }
}

TEST(ActivationMemory, IsWhatTheEngineKeepsOfExperts) {
  for (const char* family : {"mixtral", "qwen2_moe"}) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      SCOPED_TRACE(std::string(family) + " " + std::string(name_of(dtype)));
      model::ModelConfig config = small_config(family);
      config.experts = 4;
      config.experts_per_token = 2;
      config.expert_intermediate = 96;
      if (config.shared_intermediate > 0) config.shared_intermediate = 80;
      // Experts see other numbers of tokens, which storages round up by up to an eighth.
      expect_prediction(config, dtype, 0.03);
    }
  }
}

TEST(ActivationMemory, CheckpointingAtLeastHalvesWhatDeepModelsKeep) {
  model::ModelConfig config = small_config("gpt2");
  config.layers = 12;
  const ActivationMemory memory = activation_memory(config, 4, 128, DType::bf16);
  EXPECT_LT(2 * memory.peak(true), memory.peak(false));
}

}  // namespace
}  // namespace quern::plan
