// Models whose weights a quantiser packed, against tools/goldens/packed.py.
#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "formats/checkpoint.h"
#include "model/load.h"
#include "ops/cast.h"
#include "ops/decoded_blocks.h"
#include "support/golden.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

const std::filesystem::path kPacked = quern::test::kGolden / "packed";

double logits_error(const char* name, const LoadOptions& options) {
  const auto archive = formats::TensorArchive::open(kPacked / name / "expected.safetensors").value();
  const Tensor ids = archive.tensor("ids").value().to(DType::i32), wanted = archive.tensor("logits").value();
  const Decoder model = load_model(kPacked / name, options).value();
  const autograd::NoGrad no_grad;
  const Tensor states = model.hidden(ids, nn::ForwardContext::causal(1, ids.dim(1)));
  return max_difference(model.logits(states), wanted);
}

double largest_logit(const char* name) {
  const auto archive = formats::TensorArchive::open(kPacked / name / "expected.safetensors").value();
  const Tensor logits = archive.tensor("logits").value();
  return max_difference(logits, Tensor::zeros(logits.shape()));
}

TEST(PackedCheckpoint, ComputesWhatItStandsFor) {
  EXPECT_LE(logits_error("llama_gptq", {.trainable = true}), 1e-4) << "weights in f32";
}

// Rows are rounded to 8 bits where blocks are multiplied, whether these are packed or not.
TEST(PackedCheckpoint, BlocksComputeNearly) {
  const double loose = logits_error("llama_gptq", {});
  EXPECT_GT(loose, 0.0);
  EXPECT_LE(loose, 0.3);
  EXPECT_EQ(logits_error("llama_gptq", {.pack = true}), loose);
}

TEST(PackedCheckpoint, OpensWhatTransformersSaves) {
  const auto folder = formats::ModelFolder::open(kPacked / "llama_nf4").value();
  const auto checkpoint = formats::Checkpoint::open(folder).value();
  EXPECT_EQ(checkpoint.quantization()->summary, "bitsandbytes, nf4, scales quantised too");
  EXPECT_EQ(checkpoint.find("model.layers.0.mlp.down_proj.weight")->describe(), "NF4[64, 128]");
  // The layers of GPT-2 are [in, out] in files, but for packed ones.
  for (const char* name : {"llama_nf4", "gpt2_nf4"}) {
    EXPECT_LE(logits_error(name, {.trainable = true}), 1e-4) << name << ", weights in f32";
    {
      const ops::DecodedBlocks decoded;
      EXPECT_LE(logits_error(name, {}), 1e-4) << name << ", weights in 4 bits";
    }
    const double loose = logits_error(name, {});
    EXPECT_GT(loose, 0.0) << name;
    EXPECT_LE(loose, 0.08 * largest_logit(name)) << name;
    EXPECT_EQ(logits_error(name, {.pack = true}), loose) << name;
  }
}

TEST(PackedCheckpoint, ListsWeightsByTheNamesTheyReplace) {
  const auto folder = formats::ModelFolder::open(kPacked / "llama_gptq").value();
  const auto checkpoint = formats::Checkpoint::open(folder).value();
  EXPECT_EQ(checkpoint.quantization()->summary, "gptq, 4 bits, groups of 32");
  const auto* q = checkpoint.find("model.layers.0.self_attn.q_proj.weight");
  ASSERT_NE(q, nullptr);
  EXPECT_EQ(q->describe(), "Q4_0[64, 64]");
  EXPECT_EQ(q->bytes(), 64u * 2 * 18);
  EXPECT_EQ(checkpoint.find("model.layers.0.self_attn.q_proj.qweight"), nullptr);
  EXPECT_TRUE(checkpoint.is_idle_bias("model.layers.0.self_attn.q_proj.bias"));
  EXPECT_FALSE(checkpoint.is_idle_bias("model.norm.bias"));
}

}  // namespace
}  // namespace quern::model
