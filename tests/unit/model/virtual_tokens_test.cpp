// Soft prompts and prefixes against those that PEFT recorded (tools/goldens/adapters.py).
#include "model/virtual_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/graph.h"
#include "formats/gguf/writer.h"
#include "model/adapter.h"
#include "model/load.h"
#include "model/save.h"
#include "ops/cast.h"
#include "ops/reduce.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "unit/model/central_differences.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using quern::test::kGolden;

// Tokens [B, T] with those of the adapter before each row.
Tensor after_virtual(const Decoder& model, const nn::Adapter& adapter, const Tensor& tokens) {
  const std::vector<int32_t> ids = model.virtual_tokens(&adapter);
  std::vector<int32_t> all;
  for (int64_t b = 0; b < tokens.dim(0); ++b) {
    all.insert(all.end(), ids.begin(), ids.end());
    const auto row = tokens.sliced(b, b + 1).span<int32_t>();
    all.insert(all.end(), row.begin(), row.end());
  }
  return Tensor::from(all, {tokens.dim(0), tokens.dim(1) + static_cast<int64_t>(ids.size())});
}

// States [B, n + T, C] of the rows with the virtual tokens.
Tensor states(const Decoder& model, const nn::Adapter& adapter, const Tensor& tokens,
              bool checkpoint = false) {
  const Tensor all = after_virtual(model, adapter, tokens);
  nn::ForwardContext context = nn::ForwardContext::causal(all.dim(0), all.dim(1));
  static nn::AdapterRows everywhere;  // outlives the backward of checkpointed blocks
  everywhere = {&adapter};
  context.adapters = std::span(&everywhere, 1);
  context.checkpoint = checkpoint;
  return model.hidden(all, context);
}

// Logits [B, T, V] of the text alone.
Tensor text_logits(const Decoder& model, const nn::Adapter& adapter, const Tensor& tokens) {
  const autograd::NoGrad no_grad;
  const int64_t virtual_tokens = adapter.virtual_tokens(), time = tokens.dim(1);
  const Tensor logits = model.logits(states(model, adapter, tokens));
  Tensor text({tokens.dim(0), time, logits.dim(2)}, logits.dtype());
  for (int64_t b = 0; b < tokens.dim(0); ++b) {
    const Tensor row = logits.sliced(b, b + 1).reshaped({virtual_tokens + time, logits.dim(2)});
    text.sliced(b, b + 1)
        .reshaped({time, logits.dim(2)})
        .copy_from(row.sliced(virtual_tokens, virtual_tokens + time));
  }
  return text;
}

struct VirtualCase {
  const char* adapter;
  const char* base;
};

class RecordedVirtualTokens : public testing::TestWithParam<VirtualCase> {
 protected:
  std::filesystem::path folder() const { return kGolden / "peft" / GetParam().adapter; }
  std::filesystem::path base() const { return kGolden / GetParam().base; }
  Tensor ids(const char* name) const { return known_.tensor(name).value().to(DType::i32); }

  formats::TensorArchive known_ = formats::TensorArchive::open(base() / "expected.safetensors").value();
  formats::TensorArchive recorded_ = formats::TensorArchive::open(folder() / "expected.safetensors").value();
  formats::PeftFolder files_ = formats::PeftFolder::open(folder()).value();
  Decoder model_ = load_model(base()).value();
};

TEST_P(RecordedVirtualTokens, LogitsAgree) {
  const auto adapter = load_adapter(model_, files_).value();
  const Tensor wanted = recorded_.tensor("logits").value(), tokens = ids("input_ids");
  EXPECT_EQ(adapter->virtual_tokens(), 3);
  EXPECT_LE(max_difference(text_logits(model_, *adapter, tokens), wanted), 1e-4);
  const nn::ForwardContext plain = nn::ForwardContext::causal(tokens.dim(0), tokens.dim(1));
  EXPECT_GT(max_difference(model_.logits(model_.hidden(tokens, plain)), wanted), 0.1);
}

TEST_P(RecordedVirtualTokens, EveryGradientAgrees) {
  if (recorded_.find("grad.prompt_embeddings") == nullptr) GTEST_SKIP() << "a projection saves its result";
  for (const bool checkpoint : {false, true}) {
    const auto adapter = load_adapter(model_, files_).value();
    nn::set_trainable(*adapter, true);
    const Tensor tokens = ids("input_ids"), targets = ids("targets");
    const int64_t batch = tokens.dim(0), before = adapter->virtual_tokens(), time = before + tokens.dim(1);
    const Tensor all = Tensor::full({batch, time}, -1, DType::i32);
    for (int64_t b = 0; b < batch; ++b)
      std::ranges::copy(targets.sliced(b, b + 1).span<int32_t>(), all.data<int32_t>() + b * time + before);
    const Tensor weights =
        Tensor::full({batch, time}, 1.0 / static_cast<double>(targets.numel()), DType::f32);
    const Tensor loss = model_.loss(states(model_, *adapter, tokens, checkpoint), all, weights);
    EXPECT_NEAR(loss.item(), recorded_.tensor("loss").value().item(), 1e-4);
    autograd::backward(loss);
    // Written as an adapter, gradients lie as PEFT's do.
    const auto grads = load_adapter(model_, files_).value();
    std::map<std::string, Tensor> own;
    adapter->visit([&](const std::string& name, nn::Parameter& p) { own[name] = p.grad(); });
    grads->visit([&](const std::string& name, nn::Parameter& p) { p.assign(own.at(name)); });
    const std::filesystem::path written = test::process_temp_dir() / "grads";
    save_adapter(*grads, model_.config(), files_.config, written).value();
    const Tensor got = formats::PeftFolder::open(written).value().weights.tensor("prompt_embeddings").value();
    EXPECT_LE(max_difference(got, recorded_.tensor("grad.prompt_embeddings").value()), 1e-5);
  }
}

TEST_P(RecordedVirtualTokens, AreWrittenAsTheyWereRead) {
  const auto adapter = load_adapter(model_, files_).value();
  const std::filesystem::path written = test::process_temp_dir() / "virtual_written";
  save_adapter(*adapter, model_.config(), files_.config, written).value();
  const formats::PeftFolder again = formats::PeftFolder::open(written).value();
  EXPECT_TRUE(same_bits(again.weights.tensor("prompt_embeddings").value(),
                        files_.weights.tensor("prompt_embeddings").value()));
  EXPECT_EQ(again.config.tokens.width, files_.config.tokens.width);
  EXPECT_EQ(again.config.tokens.heads, files_.config.tokens.heads);
}

// GGUF files hold channels of the keys of some families in another order.
TEST_P(RecordedVirtualTokens, FitTheBaseInGguf) {
  const std::filesystem::path file = test::process_temp_dir() / "virtual_base.gguf";
  Result<formats::GgufContents> contents = gguf_contents(model_, DType::f32);
  ASSERT_TRUE(contents.ok());
  formats::write_gguf(file, *contents, null_progress()).value();
  const Decoder other = load_model(file).value();
  const auto adapter = load_adapter(other, files_).value();
  EXPECT_LE(
      max_difference(text_logits(other, *adapter, ids("input_ids")), recorded_.tensor("logits").value()),
      1e-4);
}

INSTANTIATE_TEST_SUITE_P(Peft, RecordedVirtualTokens,
                         testing::Values(VirtualCase{"gpt2_prompt", "gpt2"},
                                         VirtualCase{"llama_prompt", "llama/untied"},
                                         VirtualCase{"gpt2_prefix", "gpt2"},
                                         VirtualCase{"llama_prefix", "llama/untied"},
                                         VirtualCase{"llama_prefix_projected", "llama/untied"}),
                         [](const auto& which) { return std::string(which.param.adapter); });

// Central differences in f64 through a whole model, of a prompt and of prefixes with and without a projection.
TEST(VirtualTokens, HaveTheGradientOfTheirFunction) {
  for (const char* family : {"gpt2", "llama"}) {
    const Decoder model = Decoder::create(tiny_config(family), 1, DType::f64).value();
    nn::set_trainable(const_cast<Decoder&>(model), false);
    const ModelConfig& config = model.config();
    const Tensor tokens = random_tokens(2, 4, config.vocab_size, 1);
    std::vector<std::unique_ptr<nn::Adapter>> adapters;
    adapters.push_back(std::make_unique<nn::SoftPrompt>(2, config.embedding_size));
    for (const int64_t projection : {0, 3}) {
      adapters.push_back(std::make_unique<nn::Prefix>(
          nn::PrefixSpec{2, config.layers, config.kv_heads * config.head_dim, projection}));
    }
    for (const auto& adapter : adapters) {
      nn::initialise(*adapter, 7, DType::f64);
      const auto loss = [&] {
        const Tensor found = states(model, *adapter, tokens);
        const Tensor targets = Tensor::full({2, 6}, -1, DType::i32);
        for (int32_t i = 2; i < 6; ++i) targets.data<int32_t>()[i] = targets.data<int32_t>()[6 + i] = i;
        return model.loss(found, targets, {});
      };
      autograd::backward(loss());
      expect_differences_of_values(*adapter, 5, family, [&] { return loss().item(); });
    }
  }
}

// What begins as a text does what the text does.
TEST(VirtualTokens, BeginAsAText) {
  for (const char* family : {"gpt2", "llama", "gemma2"}) {
    const Decoder model = Decoder::create(tiny_config(family), 1).value();
    const Tensor tokens = random_tokens(1, 5, 48, 1);
    const std::vector<int32_t> text{3, 17, 9};
    std::vector<int32_t> all = text;
    const auto own = tokens.span<int32_t>();
    all.insert(all.end(), own.begin(), own.end());
    const autograd::NoGrad no_grad;
    const Tensor whole = model.hidden(Tensor::from(all, {1, 8}), nn::ForwardContext::causal(1, 8))
                             .reshaped({8, model.config().hidden});
    for (const auto method : {formats::PeftMethod::prompt, formats::PeftMethod::prefix}) {
      const formats::PeftConfig settings{.method = method, .tokens = {.count = 3}};
      const auto adapter = make_adapter(model, settings, text, 1).value();
      const Tensor found = states(model, *adapter, tokens).reshaped(whole.shape());
      EXPECT_LE(max_difference(found.sliced(3, 8), whole.sliced(3, 8)), 1e-5) << family;
    }
  }
}

TEST(VirtualTokens, AreDrawnBySeedOrRepeatAText) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const auto rows = [&](std::vector<int32_t> text, uint64_t seed) {
    return make_prompt(model, 4, text, seed).value().rows().master();
  };
  EXPECT_TRUE(same_bits(rows({}, 1), rows({}, 1)));
  EXPECT_FALSE(same_bits(rows({}, 1), rows({}, 2)));
  EXPECT_TRUE(same_bits(rows({5, 6, 7}, 1), rows({5, 6, 7, 5, 6}, 2)));
}

TEST(VirtualTokens, OfAnotherModelAreRefused) {
  ModelConfig wider = load_model(kGolden / "llama/untied").value().config();
  wider.embedding_size = 40;
  const auto prompt =
      load_prompt(wider, formats::PeftFolder::open(kGolden / "peft" / "llama_prompt").value());
  ASSERT_FALSE(prompt.ok());
  EXPECT_EQ(prompt.error().code, ErrorCode::conflict);
  EXPECT_THAT(
      prompt.error().message,
      testing::HasSubstr("prompt_embeddings: expected [3, 40] (embeddings of the model are 40 wide), got"));
  ModelConfig deeper = load_model(kGolden / "llama/untied").value().config();
  deeper.layers = 9;
  const auto files = formats::PeftFolder::open(kGolden / "peft" / "llama_prefix").value();
  const auto prefix = load_prefix(deeper, files);
  ASSERT_FALSE(prefix.ok());
  EXPECT_THAT(prefix.error().message, testing::HasSubstr("of 2 layers, and the model has 9"));
  EXPECT_THAT(prefix.error().hint, testing::HasSubstr("tests/golden/llama/untied"));
  ModelConfig shorter = load_model(kGolden / "llama/untied").value().config();
  shorter.max_positions = 3;
  EXPECT_THAT(load_prefix(shorter, files).error().message,
              testing::HasSubstr("3 virtual tokens leave no room for a text in the model's context of 3"));
  const auto merged = load_model(kGolden / "llama/untied", {.adapter = kGolden / "peft" / "llama_prompt"});
  ASSERT_FALSE(merged.ok());
  EXPECT_THAT(merged.error().message, testing::HasSubstr("cannot be merged: its 3 virtual tokens"));
}

// What a run goes on from has the projection; what people use is its result.
TEST(VirtualTokens, AProjectionIsKeptForTrainingAlone) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const formats::PeftConfig settings{.method = formats::PeftMethod::prefix,
                                     .tokens = {.count = 3, .projected = true, .projection = 5}};
  const auto adapter = make_adapter(model, settings, {}, 3).value();
  const Tensor tokens = random_tokens(1, 5, 48, 1);
  const Tensor wanted = text_logits(model, *adapter, tokens);
  for (const bool final : {false, true}) {
    const std::filesystem::path folder = test::process_temp_dir() / (final ? "final" : "checkpoint");
    save_adapter(*adapter, model.config(), settings, folder, final).value();
    const auto read = load_adapter(model, formats::PeftFolder::open(folder).value()).value();
    EXPECT_EQ(dynamic_cast<const nn::Prefix&>(*read).spec().projection, final ? 0 : 5);
    EXPECT_LE(max_difference(text_logits(model, *read, tokens), wanted), final ? 1e-5 : 0.0);
  }
}

// A mistake of the caller: tokens that neither the vocabulary nor the adapter of their row has.
TEST(VirtualTokens, WithoutTheirAdapterAreNoTokens) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const nn::SoftPrompt prompt = make_prompt(model, 2, {}, 1).value();
  const Tensor tokens = Tensor::from(std::vector<int32_t>{48, 49, 1, 2}, {1, 4});
  nn::ForwardContext context = nn::ForwardContext::causal(1, 4);
  EXPECT_THROW(model.hidden(tokens, context), ShapeError);
  const nn::AdapterRows first{&prompt, 0, 1};
  context.adapters = std::span(&first, 1);
  const autograd::NoGrad no_grad;
  EXPECT_THROW(model.hidden(tokens, context), ShapeError);
}

}  // namespace
}  // namespace quern::model
