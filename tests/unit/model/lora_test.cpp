// Adapters against those that PEFT recorded (tools/goldens/adapters.py), and against the weights they merge into.
#include "model/lora.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "base/file.h"
#include "formats/gguf/writer.h"
#include "model/family.h"
#include "model/load.h"
#include "model/save.h"
#include "model/tensor_layout.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using quern::test::kGolden;

struct AdapterCase {
  const char* adapter;
  const char* base;
};

class RecordedAdapter : public testing::TestWithParam<AdapterCase> {
 protected:
  std::filesystem::path folder() const { return kGolden / "peft" / GetParam().adapter; }
  std::filesystem::path base() const { return kGolden / GetParam().base; }
  Tensor ids(const char* name) const { return known_.tensor(name).value().to(DType::i32); }
  Tensor expected(const std::string& name) const { return recorded_.tensor(name).value(); }

  Tensor states(const Decoder& model, const nn::LoraAdapter* adapter) const {
    const Tensor tokens = ids("input_ids");
    nn::ForwardContext context = nn::ForwardContext::causal(tokens.dim(0), tokens.dim(1));
    const nn::AdapterRows all{adapter};
    if (adapter != nullptr) context.adapters = std::span(&all, 1);
    return model.hidden(tokens, context);
  }
  Tensor logits(const Decoder& model, const nn::LoraAdapter* adapter) const {
    const autograd::NoGrad no_grad;
    return model.logits(states(model, adapter));
  }

  formats::TensorArchive known_ = formats::TensorArchive::open(base() / "expected.safetensors").value();
  formats::TensorArchive recorded_ = formats::TensorArchive::open(folder() / "expected.safetensors").value();
  formats::PeftFolder files_ = formats::PeftFolder::open(folder()).value();
  Decoder model_ = load_model(base()).value();
};

TEST_P(RecordedAdapter, LogitsAgree) {
  const nn::LoraAdapter adapter = load_lora(model_, model_.config(), files_).value();
  EXPECT_LE(max_difference(logits(model_, &adapter), expected("logits")), 1e-4);
  EXPECT_GT(max_difference(logits(model_, nullptr), expected("logits")), 0.1);
}

TEST_P(RecordedAdapter, EveryGradientAgrees) {
  nn::LoraAdapter adapter = load_lora(model_, model_.config(), files_).value();
  nn::set_trainable(adapter, true);
  for (nn::LoraModule& module : adapter.modules()) {
    for (nn::LoraModule::Part& part : module.parts) part.gain = {};
  }
  const Tensor weights =
      Tensor::full(ids("targets").shape(), 1.0 / static_cast<double>(ids("targets").numel()));
  const Tensor loss = model_.loss(states(model_, &adapter), ids("targets"), weights);
  EXPECT_NEAR(loss.item(), expected("loss").item(), 1e-5);
  autograd::backward(loss);
  // Gradients, in the place of weights, take the way of weights to the names of files.
  nn::LoraAdapter gradients = load_lora(model_, model_.config(), files_).value();
  std::map<std::string, Tensor> all;
  adapter.visit([&](const std::string& name, nn::Parameter& p) { all[name] = p.grad().clone(); });
  gradients.visit([&](const std::string& name, nn::Parameter& p) { p.assign(all.at(name)); });
  const std::filesystem::path written = test::process_temp_dir() / "gradients";
  save_lora(gradients, model_.config(), files_.config, written).value();
  const auto archive = formats::TensorArchive::open(written / formats::kPeftWeightsFile).value();
  for (const auto& entry : archive.entries())
    EXPECT_LE(max_difference(archive.tensor(entry.name).value(), expected("grad." + entry.name)), 2e-5)
        << entry.name;
  EXPECT_EQ(archive.entries().size() + 2, recorded_.entries().size());
}

TEST_P(RecordedAdapter, MergesIntoTheWeights) {
  const nn::LoraAdapter adapter = load_lora(model_, model_.config(), files_).value();
  const Tensor wanted = logits(model_, &adapter);
  merge_lora(model_, adapter);
  const double largest = max_difference(wanted, Tensor::zeros(wanted.shape(), DType::f32));
  EXPECT_LE(max_difference(logits(model_, nullptr), wanted), 1e-5 * std::max(1.0, largest));
}

TEST_P(RecordedAdapter, IsWrittenAsItWasRead) {
  const nn::LoraAdapter adapter = load_lora(model_, model_.config(), files_).value();
  const std::filesystem::path written = test::process_temp_dir() / "written";
  save_lora(adapter, model_.config(), files_.config, written).value();
  EXPECT_EQ(read_file(written / formats::kPeftWeightsFile).value().size(),
            read_file(folder() / formats::kPeftWeightsFile).value().size());
  const formats::PeftFolder again = formats::PeftFolder::open(written).value();
  for (const auto& entry : files_.weights.entries())
    EXPECT_TRUE(
        same_bits(again.weights.tensor(entry.name).value(), files_.weights.tensor(entry.name).value()));
  const nn::LoraAdapter reread = load_lora(model_, model_.config(), again).value();
  EXPECT_TRUE(same_bits(logits(model_, &reread), logits(model_, &adapter)));
}

// GGUF files hold rows of queries and keys of some families in another order.
TEST_P(RecordedAdapter, FitsTheBaseInGguf) {
  const std::filesystem::path file = test::process_temp_dir() / "base.gguf";
  Result<formats::GgufContents> contents = gguf_contents(model_, DType::f32);
  ASSERT_TRUE(contents.ok());
  formats::write_gguf(file, *contents, null_progress()).value();
  const Decoder other = load_model(file).value();
  const nn::LoraAdapter adapter = load_lora(other, other.config(), files_).value();
  EXPECT_LE(max_difference(logits(other, &adapter), expected("logits")), 1e-4);
  const std::filesystem::path written = test::process_temp_dir() / "written_of_gguf";
  save_lora(adapter, other.config(), files_.config, written).value();
  const formats::PeftFolder again = formats::PeftFolder::open(written).value();
  for (const auto& entry : files_.weights.entries())
    EXPECT_TRUE(
        same_bits(again.weights.tensor(entry.name).value(), files_.weights.tensor(entry.name).value()));
}

INSTANTIATE_TEST_SUITE_P(Peft, RecordedAdapter,
                         testing::Values(AdapterCase{"gpt2", "gpt2"}, AdapterCase{"gpt2_dora", "gpt2"},
                                         AdapterCase{"llama", "llama/untied"},
                                         AdapterCase{"llama_dora", "llama/untied"},
                                         AdapterCase{"falcon_groups", "families/falcon_groups"},
                                         AdapterCase{"phi3", "families/phi3"}),
                         [](const auto& which) { return std::string(which.param.adapter); });

TEST(Adapter, NewOnesChangeNothingYet) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const Tensor tokens = random_tokens(2, 6, 48, 1);
  const nn::ForwardContext plain = nn::ForwardContext::causal(2, 6);
  for (const bool magnitudes : {false, true}) {
    const formats::PeftConfig settings{
        .rank = 2, .magnitudes = magnitudes, .targets = {std::string(kAllLinear)}};
    const nn::LoraAdapter adapter = make_lora(model, model.config(), settings, 3).value();
    EXPECT_EQ(adapter.modules().size(), 14u);
    nn::ForwardContext context = plain;
    const nn::AdapterRows all{&adapter};
    context.adapters = std::span(&all, 1);
    EXPECT_LE(max_difference(model.hidden(tokens, context), model.hidden(tokens, plain)), 1e-5);
  }
}

TEST(Adapter, TargetsAreEndsOfPaths) {
  const Decoder model = Decoder::create(tiny_config("llama"), 1).value();
  const auto count = [&](std::vector<std::string> targets) {
    return make_lora(model, model.config(), {.targets = std::move(targets)}, 1).value().modules().size();
  };
  EXPECT_EQ(count({"q_proj"}), 2u);
  EXPECT_EQ(count({"q_proj", "mlp.up_proj"}), 4u);
  EXPECT_EQ(count({"layers.1.self_attn.q_proj"}), 1u);
  const auto wrong = make_lora(model, model.config(), {.targets = {"c_attn"}}, 1);
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().message, testing::HasSubstr("'c_attn'"));
  EXPECT_THAT(wrong.error().hint, testing::HasSubstr("down_proj, gate_proj"));
}

TEST(Adapter, OfAnotherModelIsRefused) {
  const Decoder gpt2 = load_model(kGolden / "gpt2").value();
  const auto files = formats::PeftFolder::open(kGolden / "peft" / "llama").value();
  const auto other = load_lora(gpt2, gpt2.config(), files);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::conflict);
  EXPECT_THAT(other.error().message, testing::HasSubstr("model.layers.0"));
  EXPECT_THAT(other.error().hint, testing::HasSubstr("tests/golden/llama/untied"));
  const Decoder wider = Decoder::create(tiny_config("llama"), 1).value();
  const auto misfit = load_lora(wider, wider.config(), files);
  ASSERT_FALSE(misfit.ok());
  EXPECT_THAT(misfit.error().message, testing::HasSubstr("expected"));
}

}  // namespace
}  // namespace quern::model
