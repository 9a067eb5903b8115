// Reward models against those that transformers and PEFT recorded (tools/goldens/reward.py), and their files.
#include "model/reward_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/graph.h"
#include "base/file.h"
#include "base/json.h"
#include "model/load.h"
#include "model/lora.h"
#include "model/save.h"
#include "support/golden.h"
#include "support/temp_dir.h"
#include "unit/model/tiny_models.h"

namespace quern::model {
namespace {

using quern::test::kGolden;

// [B]: what the texts [B, T] are worth.
Tensor rewards(const RewardModel& model, const Tensor& tokens, const nn::LoraAdapter* adapter = nullptr) {
  const autograd::NoGrad no_grad;
  const int64_t batch = tokens.dim(0), time = tokens.dim(1);
  nn::ForwardContext context = nn::ForwardContext::causal(batch, time);
  const nn::AdapterRows all{adapter};
  if (adapter != nullptr) context.adapters = std::span(&all, 1);
  const Tensor values = model.values(model.decoder().hidden(tokens, context));
  Tensor result({batch}, DType::f32);
  for (int64_t b = 0; b < batch; ++b) {
    const auto text =
        tokens.span<int32_t>().subspan(static_cast<size_t>(b * time), static_cast<size_t>(time));
    result.data<float>()[b] = values.data<float>()[b * time + model.place_of_reward(text)];
  }
  return result;
}

class RecordedReward : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const { return kGolden / "reward" / GetParam(); }
  formats::TensorArchive recorded_ = formats::TensorArchive::open(folder() / "expected.safetensors").value();
  Tensor tokens_ = recorded_.tensor("input_ids").value().to(DType::i32);
  Tensor expected_ = recorded_.tensor("rewards").value();
};

class RecordedModel : public RecordedReward {};

TEST_P(RecordedModel, RewardsAgree) {
  const RewardModel model = load_reward_model(folder()).value();
  EXPECT_LE(max_difference(rewards(model, tokens_), expected_), 1e-4);
}

TEST_P(RecordedModel, IsWrittenAsItWasRead) {
  const RewardModel model = load_reward_model(folder()).value();
  const std::filesystem::path written = test::process_temp_dir() / GetParam();
  save_model(model, written, DType::f32).value();
  const RewardModel again = load_reward_model(written).value();
  EXPECT_TRUE(same_bits(rewards(again, tokens_), rewards(model, tokens_)));
  const auto theirs = read_json_file(folder() / "config.json").value();
  const auto ours = read_json_file(written / "config.json").value();
  for (const char* key : {"architectures", "id2label", "label2id", "pad_token_id"})
    EXPECT_EQ(ours.at(key), theirs.at(key)) << key;
  const auto files = formats::TensorArchive::open(folder() / "model.safetensors").value();
  EXPECT_EQ(formats::TensorArchive::open(written / "model.safetensors").value().entries().size(),
            files.entries().size());
}

TEST_P(RecordedModel, WritesNothing) {
  const Result<Decoder> model = load_model(folder());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::conflict);
  EXPECT_THAT(model.error().message, testing::HasSubstr("is a reward model"));
}

INSTANTIATE_TEST_SUITE_P(Transformers, RecordedModel,
                         testing::Values("llama", "qwen2", "gpt2", "gemma3_text"));

class RecordedRewardAdapter : public RecordedReward {
 protected:
  std::filesystem::path base() const { return kGolden / files_.config.base.substr(13); }
  formats::PeftFolder files_ = formats::PeftFolder::open(folder()).value();
  RewardModel model_ = load_reward_model(base()).value();
};

TEST_P(RecordedRewardAdapter, RewardsAgree) {
  const nn::LoraAdapter adapter = load_lora(model_, files_).value();
  EXPECT_LE(max_difference(rewards(model_, tokens_, &adapter), expected_), 1e-4);
  EXPECT_GT(max_difference(rewards(model_, tokens_), expected_), 0.01);
}

TEST_P(RecordedRewardAdapter, IsWrittenAsItWasRead) {
  const nn::LoraAdapter adapter = load_lora(model_, files_).value();
  const std::filesystem::path written = test::process_temp_dir() / GetParam();
  save_lora(adapter, model_, files_.config, written).value();
  const auto archive = formats::TensorArchive::open(written / formats::kPeftWeightsFile).value();
  EXPECT_EQ(archive.entries().size(), files_.weights.entries().size());
  for (const auto& entry : files_.weights.entries())
    EXPECT_TRUE(same_bits(archive.tensor(entry.name).value(), files_.weights.tensor(entry.name).value()))
        << entry.name;
  const auto config = read_json_file(written / formats::kPeftConfigFile).value();
  EXPECT_EQ(config.at("task_type"), "SEQ_CLS");
  EXPECT_EQ(config.at("modules_to_save"), nlohmann::json({"score"}));
  EXPECT_TRUE(formats::PeftFolder::open(written).ok());
}

TEST_P(RecordedRewardAdapter, IsNotForAModelThatWrites) {
  const Decoder writer = load_model(base()).value();
  const Result<nn::LoraAdapter> adapter = load_lora(writer, writer.config(), files_);
  ASSERT_FALSE(adapter.ok());
  EXPECT_THAT(adapter.error().message, testing::HasSubstr("is the adapter of a reward model"));
  const auto plain = formats::PeftFolder::open(kGolden / "peft" / "llama").value();
  EXPECT_THAT(load_lora(model_, plain).error().message, testing::HasSubstr("SEQ_CLS"));
}

INSTANTIATE_TEST_SUITE_P(Peft, RecordedRewardAdapter, testing::Values("llama_adapter", "gpt2_adapter"));

TEST(RewardModel, BeginsFromAModelThatWrites) {
  const std::filesystem::path folder = test::process_temp_dir() / "writer";
  ModelConfig config = tiny_config("llama");
  config.tied_embeddings = false;
  config.eos_tokens = {5};
  save_model(Decoder::create(config, 3).value(), folder).value();
  RewardModel model = load_reward_model(folder, {.trainable = true}).value();
  EXPECT_EQ(model.config().pad_token, 5);
  nn::visit(model, [](const std::string& name, const nn::Parameter& parameter) {
    EXPECT_NE(name, "head.weight");
    EXPECT_TRUE(parameter.trainable()) << name;
  });
  const Tensor tokens = random_tokens(2, 6, 48, 1);
  EXPECT_EQ(max_difference(rewards(model, tokens), Tensor::zeros({2})), 0.0);
  EXPECT_THROW(model.decoder().logits(Tensor::zeros({1, config.hidden})), ShapeError);
  model.score().assign(Tensor::full({1, config.hidden}, 0.5));
  save_model(model, test::process_temp_dir() / "scorer", DType::f32).value();
  const RewardModel saved = load_reward_model(test::process_temp_dir() / "scorer").value();
  EXPECT_TRUE(same_bits(rewards(saved, tokens), rewards(model, tokens)));
}

TEST(RewardModel, ReadsTheLastTokenThatIsNoPadding) {
  const RewardModel model = load_reward_model(kGolden / "reward" / "llama").value();  // pads with 3
  EXPECT_EQ(model.place_of_reward(std::vector<int32_t>{1, 2, 3, 3}), 1);
  EXPECT_EQ(model.place_of_reward(std::vector<int32_t>{3, 2, 3, 4}), 3);
  EXPECT_EQ(model.place_of_reward(std::vector<int32_t>{3, 3}), 0);
}

TEST(RewardModel, IsOfOneLabel) {
  const std::filesystem::path folder = test::process_temp_dir() / "labels";
  std::filesystem::copy(kGolden / "reward" / "llama", folder);
  auto config = read_json_file(folder / "config.json").value();
  config["id2label"] = {{"0", "no"}, {"1", "yes"}};
  write_file_atomic(folder / "config.json", config.dump()).value();
  const Result<RewardModel> model = load_reward_model(folder);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::unsupported);
  EXPECT_THAT(model.error().message, testing::HasSubstr("2 labels"));
}

// Every family has a class of reward models, and the names of its tensors.
TEST(RewardModel, OfEveryFamily) {
  for (const Family* family : families()) {
    if (family->defaults().kind != Kind::decoder) continue;
    const ModelConfig config = tiny_config(std::string(family->name)).scoring();
    EXPECT_THAT(class_name(*family, config), testing::EndsWith("ForSequenceClassification"));
    RewardModel model = RewardModel::create(config).value();
    nn::initialise(model, 1);
    const std::filesystem::path folder = test::process_temp_dir() / std::string(family->name);
    ASSERT_TRUE(save_model(model, folder, DType::f32).ok()) << family->name;
    EXPECT_TRUE(load_reward_model(folder).ok()) << family->name;
  }
}

}  // namespace
}  // namespace quern::model
