#include "model/load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/graph.h"
#include "base/file.h"
#include "model/save.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

// An absent folder.
std::filesystem::path fresh_folder(const std::string& name) {
  std::string running = testing::UnitTest::GetInstance()->current_test_info()->name();
  std::ranges::replace(running, '/', '_');
  const std::filesystem::path folder = test::process_temp_dir() / (running + "_" + name);
  std::filesystem::remove_all(folder);
  return folder;
}

std::map<std::string, Tensor> masters(const Decoder& model) {
  std::map<std::string, Tensor> all;
  nn::visit(model, [&](const std::string& name, const nn::Parameter& p) { all[name] = p.master(); });
  return all;
}

// What a saved folder holds, with the chance to change it.
struct Checkpoint {
  std::filesystem::path folder;
  std::vector<formats::NamedTensor> tensors;

  Checkpoint(const ModelConfig& config, const std::string& name) : folder(fresh_folder(name)) {
    save_model(Decoder::create(config, 1).value(), folder).value();
    const auto archive = formats::TensorArchive::open(folder / formats::kWeightsFile).value();
    for (const auto& entry : archive.entries()) {
      tensors.push_back({entry.name, archive.tensor(entry.name).value().clone()});
    }
  }
  Tensor take(const std::string& name) {
    const auto found = std::ranges::find(tensors, name, &formats::NamedTensor::name);
    const Tensor tensor = found->tensor;
    tensors.erase(found);
    return tensor;
  }
  Result<Decoder> load() const {
    formats::write_weights(folder, tensors).value();
    return load_model(folder);
  }
};

class RoundTrip : public testing::TestWithParam<const char*> {
 protected:
  static ModelConfig config() {
    const std::string which = GetParam();
    ModelConfig config = tiny_config(which.substr(0, which.find('_')));
    if (which.ends_with("_tied")) config.tied_embeddings = true;
    if (which.ends_with("_untied")) config.tied_embeddings = false;
    if (which.ends_with("_biases")) config.qkv_bias = config.output_bias = config.mlp_bias = true;
    config.eos_tokens = {3, 4};
    config.bos_token = 2;
    return config;
  }
};

TEST_P(RoundTrip, KeepsEveryBitAndTheConfig) {
  const Decoder model = Decoder::create(config(), 1).value();
  const auto folder = fresh_folder(GetParam());
  save_model(model, folder).value();
  Decoder again = load_model(folder, {.trainable = true}).value();
  const auto before = masters(model), after = masters(again);
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [name, value] : before) EXPECT_TRUE(same_bits(value, after.at(name))) << name;
  ModelConfig wanted = model.config(), got = again.config();
  EXPECT_EQ(fields_of(got).to_yaml(), fields_of(wanted).to_yaml());
  // A trainable model owns its masters: writing them must not touch the file.
  again.visit([](const std::string&, nn::Parameter& p) { p.master().fill(0.5); });
}

TEST_P(RoundTrip, SixteenBitFilesStayAsTheyAreUnlessTheyTrain) {
  ModelConfig half = config();
  half.dtype = DType::bf16;
  const Decoder model = Decoder::create(half, 1).value();
  const auto folder = fresh_folder(GetParam()), second = fresh_folder(std::string(GetParam()) + "_second");
  save_model(model, folder).value();
  const Decoder frozen = load_model(folder).value();
  nn::visit(frozen, [](const std::string& name, const nn::Parameter& p) {
    EXPECT_EQ(p.master().dtype(), p.is_matrix() ? DType::bf16 : DType::f32) << name;
    EXPECT_FALSE(p.trainable());
  });
  nn::visit(load_model(folder, {.trainable = true}).value(),
            [](const std::string& name, const nn::Parameter& p) {
              EXPECT_EQ(p.master().dtype(), DType::f32) << name;
              EXPECT_TRUE(p.trainable());
            });
  save_model(frozen, second).value();
  EXPECT_EQ(read_file(folder / formats::kWeightsFile).value(),
            read_file(second / formats::kWeightsFile).value());

  const Tensor tokens = random_tokens(1, 6, 48, 1);
  const auto context = nn::ForwardContext::causal(1, 6);
  const autograd::NoGrad no_grad;
  const Tensor exact = model.logits(model.hidden(tokens, context)),
               got = frozen.logits(frozen.hidden(tokens, context));
  EXPECT_LE(max_difference(got, exact), 0.05 * max_difference(exact, Tensor::zeros(exact.shape())));
}

INSTANTIATE_TEST_SUITE_P(Configs, RoundTrip,
                         testing::Values("gpt2", "gpt2_untied", "llama", "llama_tied", "llama_biases"),
                         [](const auto& which) { return which.param; });

TEST(Load, AcceptsWhatOtherToolsWrite) {
  Checkpoint checkpoint(tiny_config("gpt2"), "variants");
  // As GPT2Model saves: no prefix. As old versions do: the causal mask. As others do: the tied head once
  // more.
  const std::string prefix = "transformer.";
  for (auto& [name, tensor] : checkpoint.tensors) name = name.substr(prefix.size());
  const Tensor embedding = checkpoint.tensors.back().tensor;
  checkpoint.tensors.push_back({"lm_head.weight", embedding});
  checkpoint.tensors.push_back({"h.0.attn.bias", Tensor::zeros({1, 1, 24, 24}, DType::u8)});
  EXPECT_TRUE(checkpoint.load().ok());
}

TEST(Load, NamesEveryTensorThatDoesNotFit) {
  Checkpoint checkpoint(tiny_config("llama"), "misfit");
  checkpoint.take("model.norm.weight");
  checkpoint.take("model.layers.1.mlp.up_proj.weight");
  checkpoint.tensors.push_back({"model.layers.2.mlp.up_proj.weight", Tensor::zeros({24, 16})});
  checkpoint.take("model.layers.0.self_attn.k_proj.weight");
  checkpoint.tensors.push_back({"model.layers.0.self_attn.k_proj.weight", Tensor::zeros({16, 16})});
  const auto model = checkpoint.load();
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::corrupt);
  const std::string& message = model.error().message;
  EXPECT_NE(message.find("2 missing: model.layers.1.mlp.up_proj.weight, model.norm.weight"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("1 unexpected: model.layers.2.mlp.up_proj.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("model.layers.0.self_attn.k_proj.weight (expected [8, 16], got f32[16, 16])"),
            std::string::npos)
      << message;
}

TEST(Load, RefusesTensorsThatAreNotFloats) {
  Checkpoint checkpoint(tiny_config("llama"), "integers");
  checkpoint.take("model.norm.weight");
  checkpoint.tensors.push_back({"model.norm.weight", Tensor::zeros({16}, DType::i32)});
  const auto model = checkpoint.load();
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().message.find("model.norm.weight"), std::string::npos);
}

TEST(Load, NamesWhatAFolderLacks) {
  const auto folder = fresh_folder("empty");
  EXPECT_EQ(load_model(folder).error().code, ErrorCode::not_found);
  make_directories(folder).value();
  EXPECT_EQ(load_model(folder).error().code, ErrorCode::not_found);
  write_file_atomic(folder / "config.json", "{\"model_type\": ").value();
  EXPECT_EQ(load_model(folder).error().code, ErrorCode::corrupt);
  const Checkpoint checkpoint(tiny_config("llama"), "no_weights");
  std::filesystem::remove(checkpoint.folder / formats::kWeightsFile);
  const auto model = load_model(checkpoint.folder);
  EXPECT_EQ(model.error().code, ErrorCode::not_found);
  EXPECT_NE(model.error().message.find("model.safetensors"), std::string::npos);
}

TEST(Save, WritesNothingThatItsFamilyCannotExpress) {
  ModelConfig config = tiny_config("gpt2");
  config.positions = Positions::alibi;
  const auto folder = fresh_folder("inexpressible");
  const auto saved = save_model(Decoder::create(config, 1).value(), folder);
  ASSERT_FALSE(saved.ok());
  EXPECT_NE(saved.error().message.find("positions"), std::string::npos) << saved.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder));
}

}  // namespace
}  // namespace quern::model
