// Bottlenecks against those that AdapterHub's library recorded (tools/goldens/bottlenecks.py).
#include "model/bottleneck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/graph.h"
#include "base/json.h"
#include "base/rng.h"
#include "model/adapter.h"
#include "model/load.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "unit/model/central_differences.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using formats::PeftConfig;
using formats::PeftFolder;
using formats::PeftMethod;
using quern::test::kGolden;

Tensor states_behind(const Decoder& model, const nn::Adapter* adapter, const Tensor& tokens,
                     bool checkpoint = false) {
  nn::ForwardContext context = nn::ForwardContext::causal(tokens.dim(0), tokens.dim(1));
  static nn::AdapterRows everywhere;  // outlives the backward of checkpointed blocks
  everywhere = {adapter};
  if (adapter != nullptr) context.adapters = std::span(&everywhere, 1);
  context.checkpoint = checkpoint;
  return model.hidden(tokens, context);
}

Tensor logits_behind(const Decoder& model, const nn::Adapter* adapter, const Tensor& tokens) {
  const autograd::NoGrad no_grad;
  return model.logits(states_behind(model, adapter, tokens));
}

struct BottleneckCase {
  const char* adapter;
  const char* base;
};

class RecordedBottleneck : public testing::TestWithParam<BottleneckCase> {
 protected:
  std::filesystem::path folder() const { return kGolden / "adapter_hub" / GetParam().adapter; }
  std::filesystem::path base() const { return kGolden / GetParam().base; }
  Tensor ids(const char* name) const { return known_.tensor(name).value().to(DType::i32); }

  formats::TensorArchive known_ = formats::TensorArchive::open(base() / "expected.safetensors").value();
  formats::TensorArchive recorded_ = formats::TensorArchive::open(folder() / "expected.safetensors").value();
  PeftFolder files_ = PeftFolder::open(folder()).value();
  Decoder model_ = load_model(base()).value();
};

TEST_P(RecordedBottleneck, LogitsAgree) {
  const auto adapter = load_adapter(model_, files_).value();
  const Tensor wanted = recorded_.tensor("logits").value(), tokens = ids("input_ids");
  EXPECT_LE(max_difference(logits_behind(model_, adapter.get(), tokens), wanted), 1e-4);
  EXPECT_GT(max_difference(logits_behind(model_, nullptr, tokens), wanted), 0.1);
}

TEST_P(RecordedBottleneck, EveryGradientAgrees) {
  for (const bool checkpoint : {false, true}) {
    const auto adapter = load_adapter(model_, files_).value();
    nn::set_trainable(*adapter, true);
    const Tensor targets = ids("targets");
    const Tensor weights = Tensor::full(targets.shape(), 1.0 / static_cast<double>(targets.numel()));
    const Tensor loss =
        model_.loss(states_behind(model_, adapter.get(), ids("input_ids"), checkpoint), targets, weights);
    EXPECT_NEAR(loss.item(), recorded_.tensor("loss").value().item(), 1e-4);
    autograd::backward(loss);
    size_t compared = 0;
    adapter->visit([&](const std::string& name, nn::Parameter& parameter) {
      std::string file = "grad." + name;
      file.insert(file.find(".adapter_"), ".adapters.task");
      EXPECT_LE(max_difference(parameter.grad(), recorded_.tensor(file).value()), 1e-4) << name;
      ++compared;
    });
    EXPECT_EQ(compared, files_.weights.entries().size());
  }
}

TEST_P(RecordedBottleneck, IsWrittenAsItWasRead) {
  const auto adapter = load_adapter(model_, files_).value();
  const std::filesystem::path written = test::process_temp_dir() / "bottleneck_written";
  save_adapter(*adapter, model_.config(), files_.config, written).value();
  const PeftFolder again = PeftFolder::open(written).value();
  ASSERT_EQ(again.weights.entries().size(), files_.weights.entries().size());
  for (const formats::TensorEntry& entry : files_.weights.entries())
    EXPECT_TRUE(
        same_bits(again.weights.tensor(entry.name).value(), files_.weights.tensor(entry.name).value()));
  const auto wanted = read_json_file(folder() / "adapter_config.json").value(),
             got = read_json_file(written / "adapter_config.json").value();
  for (const char* key : {"hidden_size", "model_class", "model_name", "model_type", "name"})
    EXPECT_EQ(got[key], wanted[key]) << key;
  for (const char* key : {"mh_adapter", "output_adapter", "non_linearity", "original_ln_before", "scaling",
                          "leave_out", "dropout"})
    EXPECT_EQ(got["config"][key], wanted["config"][key]) << key;
}

INSTANTIATE_TEST_SUITE_P(AdapterHub, RecordedBottleneck,
                         testing::Values(BottleneckCase{"gpt2_houlsby", "gpt2"},
                                         BottleneckCase{"llama_houlsby", "llama/untied"},
                                         BottleneckCase{"gpt2_pfeiffer", "gpt2"},
                                         BottleneckCase{"llama_pfeiffer", "llama/untied"}),
                         [](const auto& which) { return std::string(which.param.adapter); });

// Central differences in f64 through whole models, of every layout of blocks, with dropout.
TEST(Bottleneck, HasTheGradientOfItsFunction) {
  for (const char* family : {"gpt2", "llama", "gemma2", "gpt_neox", "olmo2", "mixtral"}) {
    for (const bool reads_stream : {false, true}) {
      const Decoder model = Decoder::create(tiny_config(family), 1, DType::f64).value();
      nn::set_trainable(const_cast<Decoder&>(model), false);
      const PeftConfig settings{
          .dropout = 0.3,
          .method = PeftMethod::bottleneck,
          .bottleneck = {.width = 3, .activation = "tanh", .scale = 1.5, .reads_stream = reads_stream}};
      nn::BottleneckAdapter adapter = make_bottleneck(model.config(), settings, 1).value();
      EXPECT_EQ(adapter.modules().size(), static_cast<size_t>(2 * model.config().layers));
      nn::initialise(adapter, 7, DType::f64);
      uint64_t seed = 0;
      adapter.visit([&](const std::string&, nn::Parameter& parameter) {
        Rng rng(9, seed++);
        for (double& value : parameter.master().span<double>()) value = 0.3 * rng.normal();
      });
      const Tensor tokens = random_tokens(2, 4, model.config().vocab_size, 1);
      const nn::AdapterRows everywhere{&adapter};
      const auto loss = [&] {
        nn::ForwardContext context = nn::ForwardContext::causal(2, 4);
        context.adapters = std::span(&everywhere, 1);
        context.dropout = {.enabled = true, .seed = 5, .step = 3};
        return model.loss(model.hidden(tokens, context), random_tokens(2, 4, model.config().vocab_size, 2),
                          {});
      };
      autograd::backward(loss());
      expect_differences_of_values(adapter, 7, family, [&] { return loss().item(); });
    }
  }
}

TEST(Bottleneck, BeginsAsTheModel) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const Tensor tokens = random_tokens(1, 5, 48, 1);
  const PeftConfig settings{.method = PeftMethod::bottleneck};
  const nn::BottleneckAdapter adapter = make_bottleneck(model.config(), settings, 1).value();
  EXPECT_TRUE(same_bits(logits_behind(model, &adapter, tokens), logits_behind(model, nullptr, tokens)));
  EXPECT_EQ(adapter.modules()[0].down.shape()[0], model.config().hidden / 16);
  EXPECT_EQ(adapter.modules()[0].name, "model.layers.0.attention_adapters");
  EXPECT_EQ(adapter.modules()[1].name, "model.layers.0.output_adapters");
}

// AdapterHub divides downwards in floating point: 64 // (64 / 5) is 4 there.
TEST(Bottleneck, TellsAWidthByAReduction) {
  ModelConfig config = tiny_config("llama");
  const std::filesystem::path folder = test::process_temp_dir() / "widths";
  for (int64_t width = 1; width <= 2 * config.hidden; ++width) {
    const PeftConfig settings{.method = PeftMethod::bottleneck, .bottleneck = {.width = width}};
    const nn::BottleneckAdapter adapter = make_bottleneck(config, settings, 1).value();
    save_bottleneck(adapter, config, settings, folder).value();
    const auto hidden = static_cast<double>(config.hidden);
    const double factor =
        read_json_file(folder / "adapter_config.json").value()["config"]["reduction_factor"].get<double>();
    EXPECT_EQ(std::lround((hidden - std::fmod(hidden, factor)) / factor), width);
    EXPECT_EQ(load_bottleneck(config, PeftFolder::open(folder).value()).value().modules()[0].down.shape()[0],
              width);
  }
}

TEST(Bottleneck, OfAnotherModelIsRefused) {
  const PeftFolder files = PeftFolder::open(kGolden / "adapter_hub" / "llama_houlsby").value();
  const ModelConfig config = load_model(kGolden / "llama/untied").value().config();
  const auto refused = [&](const ModelConfig& other) {
    const auto adapter = load_bottleneck(other, files);
    EXPECT_FALSE(adapter.ok());
    return adapter.ok() ? "" : adapter.error().message;
  };
  ModelConfig wider = config;
  wider.hidden = wider.embedding_size = 40;
  EXPECT_THAT(refused(wider),
              testing::HasSubstr("attention_adapters.adapter_down.0.weight: expected [5, 40], got"));
  ModelConfig deeper = config;
  deeper.layers = 3;
  EXPECT_THAT(refused(deeper),
              testing::HasSubstr("model.layers.2.attention_adapters.adapter_down.0.weight is missing"));
  ModelConfig flatter = config;
  flatter.layers = 1;
  EXPECT_THAT(refused(flatter), testing::HasSubstr("model.layers.1.attention_adapters"));
  EXPECT_THAT(refused(load_model(kGolden / "gpt2").value().config()),
              testing::HasSubstr("transformer.h.0.attention_adapters.adapter_down.0.weight is missing"));
  const auto merged =
      load_model(kGolden / "llama/untied", {.adapter = kGolden / "adapter_hub" / "llama_houlsby"});
  ASSERT_FALSE(merged.ok());
  EXPECT_THAT(merged.error().message, testing::HasSubstr("cannot be merged"));
}

TEST(Bottleneck, SaysWhatItCannotBe) {
  const ModelConfig config = tiny_config("llama");
  const PeftConfig unknown{.method = PeftMethod::bottleneck, .bottleneck = {.activation = "mish"}};
  EXPECT_THAT(make_bottleneck(config, unknown, 1).error().hint, testing::HasSubstr("relu, silu"));
  ModelConfig post = config;
  post.layout = nn::BlockLayout::post_norm;
  const PeftConfig stream{.method = PeftMethod::bottleneck, .bottleneck = {.reads_stream = true}};
  EXPECT_EQ(make_bottleneck(post, stream, 1).error().code, ErrorCode::unsupported);
  const PeftConfig nowhere{.method = PeftMethod::bottleneck,
                           .bottleneck = {.attention = false, .mlp = false}};
  EXPECT_EQ(make_bottleneck(config, nowhere, 1).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace quern::model
