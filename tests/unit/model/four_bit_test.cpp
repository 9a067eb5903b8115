// Models in NF4: made, written, opened again, learnt beside. What others write is in packed_checkpoint_test.cpp.
#include "model/four_bit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "autograd/graph.h"
#include "autograd/training_kernels.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/gguf/writer.h"
#include "model/load.h"
#include "model/lora.h"
#include "model/save.h"
#include "ops/cast.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

// Rows of whole blocks of 64 in every matrix of the layers.
ModelConfig config_of_64(const std::string& family) {
  ModelConfig config = tiny_config(family);
  config.hidden = 64;
  config.intermediate = family == "mpt" ? 0 : 128;
  config.init_std = 0.1;
  config.dtype = DType::bf16;
  return config;
}

std::map<std::string, Tensor> weights_of(const Decoder& model) {
  std::map<std::string, Tensor> all;
  nn::visit(model,
            [&](const std::string& name, const nn::Parameter& p) { all[name] = p.master().detached(); });
  return all;
}

double relative_error(const Tensor& exact, const Tensor& coded) {
  double error = 0.0, square = 0.0;
  const Tensor x = ops::cast(exact, DType::f32), y = ops::cast(coded, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double a = static_cast<double>(x.data<float>()[i]), b = static_cast<double>(y.data<float>()[i]);
    error += (a - b) * (a - b);
    square += a * a;
  }
  return error == 0.0 ? 0.0 : std::sqrt(error / square);
}

// Layers of `held` are NF4, close to `exact`, and all else is the same.
void expect_layers_in_nf4(const Decoder& held, const Decoder& exact) {
  const auto before = weights_of(exact);
  for (const auto& [name, value] : weights_of(held)) {
    const Tensor& original = before.at(name);
    if (is_layer_matrix(name, value.shape())) {
      EXPECT_EQ(value.dtype(), DType::nf4) << name;
      EXPECT_LT(relative_error(original, value), 0.12) << name;
      EXPECT_GT(relative_error(original, value), 0.03) << name;
    } else {
      EXPECT_EQ(relative_error(ops::cast(original, DType::bf16), value), 0.0) << name;
    }
  }
}

std::vector<float> sorted(const Tensor& x) {
  const Tensor wide = ops::cast(x, DType::f32);
  std::vector<float> values(wide.span<float>().begin(), wide.span<float>().end());
  std::ranges::sort(values);
  return values;
}

const char* const kFamilies[] = {"llama", "gpt2", "gpt_neox", "phi3", "falcon", "mpt", "gemma2", "qwen3"};

TEST(FourBit, LayersAreHeldInNf4) {
  Decoder model = Decoder::create(config_of_64("llama"), 3).value();
  const Decoder exact = Decoder::create(config_of_64("llama"), 3).value();
  hold_in_nf4(model, DType::bf16).value();
  const auto before = weights_of(exact);
  for (const auto& [name, value] : weights_of(model)) {
    const bool layer = is_layer_matrix(name, value.shape());
    EXPECT_EQ(value.dtype() == DType::nf4, layer) << name;
    EXPECT_TRUE(layer || same_bits(value, before.at(name))) << name;
  }
}

TEST(FourBit, RowsOfNoWholeBlocksStay) {
  ModelConfig config = config_of_64("llama");
  config.intermediate = 96;
  Decoder model = Decoder::create(config, 3).value();
  hold_in_nf4(model, DType::bf16).value();
  const auto all = weights_of(model);
  EXPECT_EQ(all.at("blocks.0.mlp.down.weight").dtype(), DType::f32);
  EXPECT_EQ(all.at("blocks.0.mlp.up.weight").dtype(), DType::nf4);
}

TEST(FourBit, NamesWhatIsNotFinite) {
  Decoder model = Decoder::create(config_of_64("llama"), 3).value();
  model.visit([](const std::string& name, nn::Parameter& p) {
    if (name == "blocks.1.mlp.up.weight") p.master().data<float>()[5] = std::nanf("");
  });
  EXPECT_THAT(hold_in_nf4(model, DType::bf16).error().message,
              testing::HasSubstr("blocks.1.mlp.up.weight: f32[128, 64] holds numbers that are not finite"));
}

TEST(FourBit, FoldersOfEveryFamilyOpenAgain) {
  const test::TempDir dir;
  for (const char* family : kFamilies) {
    SCOPED_TRACE(family);
    const std::filesystem::path folder = dir.path() / family;
    const Decoder exact = Decoder::create(config_of_64(family), 5).value();
    int made = 0;
    save_model_in_nf4(exact, folder, DType::bf16, nullptr,
                      [&](const auto&, const auto&, const Tensor& coded) {
                        EXPECT_EQ(coded.dtype(), DType::nf4);
                        ++made;
                      })
        .value();
    EXPECT_GT(made, 0);
    const Decoder held = load_model(folder).value();
    // Rows of heads that take turns in a file are moved when it is opened, and decoded for that.
    if (family == std::string("gpt_neox") || family == std::string("falcon")) {
      const auto before = weights_of(exact);
      for (const auto& [name, value] : weights_of(held))
        EXPECT_LT(relative_error(before.at(name), value), 0.12) << name;
      EXPECT_EQ(weights_of(held).at("blocks.0.attention.q.weight").dtype(), DType::bf16);
      EXPECT_EQ(weights_of(held).at("blocks.0.mlp.up.weight").dtype(), DType::nf4);
    } else {
      expect_layers_in_nf4(held, exact);
    }
    EXPECT_EQ(
        formats::Checkpoint::open(formats::ModelFolder::open(folder).value()).value().quantization()->summary,
        "bitsandbytes, nf4, scales quantised too");
  }
}

TEST(FourBit, FoldersNameWhatIsSkipped) {
  const test::TempDir dir;
  ModelConfig config = config_of_64("llama");
  config.intermediate = 96;
  const auto skipped = [&] {
    const auto json = read_json_file(dir.path() / "model" / "config.json").value();
    return json["quantization_config"]["llm_int8_skip_modules"];
  };
  save_model_in_nf4(Decoder::create(config, 5).value(), dir.path() / "model", DType::bf16).value();
  EXPECT_EQ(skipped(),
            nlohmann::json({"model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj", "lm_head"}));
  EXPECT_TRUE(load_model(dir.path() / "model").ok());
  save_model_in_nf4(Decoder::create(config_of_64("llama"), 5).value(), dir.path() / "model", DType::bf16)
      .value();
  EXPECT_TRUE(skipped().is_null());
}

TEST(FourBit, MixturesAreRefused) {
  const test::TempDir dir;
  const Decoder model = Decoder::create(tiny_config("mixtral"), 5).value();
  EXPECT_EQ(save_model_in_nf4(model, dir.path() / "model", DType::bf16).error().code, ErrorCode::unsupported);
}

// Other formats hold the numbers that it stands for: rows of queries and keys have another order in GGUF.
TEST(FourBit, IsWrittenToOtherFormats) {
  const test::TempDir dir;
  for (const char* family : {"llama", "gpt2", "gpt_neox"}) {
    SCOPED_TRACE(family);
    const std::filesystem::path folder = dir.path() / family,
                                file = dir.path() / (std::string(family) + ".gguf");
    save_model_in_nf4(Decoder::create(config_of_64(family), 5).value(), folder, DType::bf16).value();
    const Decoder held = load_model(folder).value();
    save_model(held, dir.path() / "plain", DType::bf16).value();
    formats::GgufContents contents = gguf_contents(held, std::nullopt).value();
    for (const formats::GgufEntry& entry : contents.tensors)
      EXPECT_FALSE(has_scales_beside(entry.dtype)) << entry.name;
    formats::write_gguf(file, contents, null_progress()).value();
    const auto wanted = weights_of(held);
    for (const auto& path : {dir.path() / "plain", file}) {
      for (const auto& [name, value] : weights_of(load_model(path).value())) {
        if (value.shape().rank() < 2) continue;
        EXPECT_NE(value.dtype(), DType::nf4) << name;
        // Queries and keys of llama lie in another order in GGUF: their numbers are the same.
        EXPECT_EQ(sorted(wanted.at(name)), sorted(value)) << name;
      }
    }
  }
}

// What QLoRA learns: the gradients beside NF4 are those beside the numbers it stands for.
TEST(FourBit, GradientsBesideItAreThoseBesideItsNumbers) {
  const ModelConfig config = config_of_64("llama");
  const autograd::TrainingKernels kernels;
  const auto gradients = [&](bool decode) {
    Decoder model = Decoder::create(config, 3).value();
    hold_in_nf4(model, DType::bf16).value();
    model.visit([&](const std::string&, nn::Parameter& p) {
      p.set_trainable(false);
      if (decode && p.master().dtype() == DType::nf4) p.assign(ops::cast(p.master(), DType::f32));
    });
    nn::LoraAdapter adapter =
        make_lora(model, config, {.rank = 4, .alpha = 8.0, .targets = {"all-linear"}}, 7).value();
    adapter.visit([](const std::string&, nn::Parameter& p) {
      for (float& value : p.master().span<float>()) value += 0.05f;
    });
    nn::set_trainable(adapter, true);
    const Tensor tokens = random_tokens(2, 12, config.vocab_size, 4);
    nn::ForwardContext context = nn::ForwardContext::causal(2, 12);
    const nn::AdapterRows rows{&adapter};
    context.adapters = std::span(&rows, 1);
    autograd::backward(model.loss(model.hidden(tokens, context), tokens, Tensor::full({2, 12}, 1.0 / 24)));
    std::map<std::string, Tensor> all;
    adapter.visit([&](const std::string& name, nn::Parameter& p) { all[name] = p.grad().clone(); });
    return all;
  };
  const auto beside = gradients(false), wanted = gradients(true);
  ASSERT_FALSE(wanted.empty());
  for (const auto& [name, gradient] : wanted) EXPECT_TRUE(same_bits(beside.at(name), gradient)) << name;
}

}  // namespace
}  // namespace quern::model
