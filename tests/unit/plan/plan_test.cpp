#include "plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/presets.h"
#include "plan/report.h"

namespace quern::plan {
namespace {

using ::testing::HasSubstr;

PlanConfig config_of(std::string_view preset) {
  PlanConfig config;
  config.model = model::find_preset(preset)->config;
  return config;
}

const DevicePlan& device_of(const ModelPlan& plan, std::string_view name) {
  for (const DevicePlan& device : plan.devices) {
    if (device.device.name == name) return device;
  }
  throw std::out_of_range(std::string(name));
}

// 184,320 hours of A100 for 2T tokens (arXiv 2307.09288, table 2), which is what an MFU of 42 % gives.
TEST(Plan, TimeOfLlama2IsThatOfThePaper) {
  PlanConfig config = config_of("llama-2-7b");
  config.tokens = "2T";
  config.sequence = 4096;
  config.mfu = 0.42;
  const DevicePlan a100 = device_of(plan_model(config).value(), "a100-80gb");
  EXPECT_NEAR(a100.seconds / 3600, 184320, 0.1 * 184320);
  EXPECT_DOUBLE_EQ(a100.cost, a100.seconds / 3600 * a100.device.price);
}

TEST(Plan, MoreDevicesAreFasterForTheSameMoney) {
  PlanConfig config = config_of("gpt2");
  const DevicePlan one = device_of(plan_model(config).value(), "h100");
  config.count = 8;
  const DevicePlan eight = device_of(plan_model(config).value(), "h100");
  EXPECT_DOUBLE_EQ(one.seconds, 8 * eight.seconds);
  EXPECT_DOUBLE_EQ(one.cost, eight.cost);
}

TEST(Plan, SaysTheLeastConcessionThatFits) {
  PlanConfig config = config_of("llama-3-8b");
  config.sequence = 512;
  const ModelPlan plan = plan_model(config).value();
  EXPECT_EQ(device_of(plan, "h200").trains, "LoRA");
  EXPECT_THAT(device_of(plan, "rtx-4090").trains, HasSubstr("LoRA"));
  EXPECT_EQ(device_of(plan, "t4").trains, "QLoRA");
  EXPECT_EQ(device_of(plan, "h100").serves, "bf16");
  EXPECT_EQ(device_of(plan, "t4").serves, "q8_0");
  EXPECT_EQ(device_of(plan_model(config_of("llama-3.1-405b")).value(), "h200").serves, "no");
}

TEST(Plan, DecodeRateIsBandwidthOverBytesRead) {
  PlanConfig config = config_of("llama-3-8b");
  config.context = 8192;
  config.sequences = 4;
  const model::Decoder model = model::Decoder::create(config.model).value();
  const double read = static_cast<double>(step_bytes(model, kBf16) + 4 * cache_bytes(model, 8192, kBf16));
  EXPECT_DOUBLE_EQ(device_of(plan_model(config).value(), "h100").decode_rate, 4 * 3.35e12 / read);
}

TEST(Plan, TokensComeFromTheBudgetTheUserOrTheRule) {
  PlanConfig config = config_of("gpt2");
  EXPECT_DOUBLE_EQ(plan_model(config)->tokens, 20.0 * 124439808);
  config.flops = 1e18;
  EXPECT_DOUBLE_EQ(plan_model(config)->training_flops, 1e18);
  config.tokens = "3G";
  EXPECT_DOUBLE_EQ(plan_model(config)->tokens, 3e9);
}

TEST(Plan, BudgetIsHardwareTimesTime) {
  PlanConfig config;
  config.hardware = "h100";
  config.count = 8;
  config.days = 3;
  EXPECT_DOUBLE_EQ(config.budget().value(), 8 * 989e12 * 0.4 * 3 * 86400);
  config.flops = 1.0;
  EXPECT_THAT(config.budget().error().message, HasSubstr("got both"));
  config.flops = 0.0;
  config.hardware = "";
  EXPECT_THAT(config.budget().error().hint, HasSubstr("--hardware h100"));
}

TEST(Plan, RefusesTheImpossible) {
  PlanConfig config = config_of("gpt2");
  config.sequence = 2048;
  EXPECT_THAT(plan_model(config).error().message, HasSubstr("1024 positions, got 2048"));
  config.sequence = 0;
  config.tokens = "many";
  EXPECT_THAT(plan_model(config).error().message, HasSubstr("tokens: 'many'"));
  config.tokens = "";
  config.hardware = "h1000";
  EXPECT_EQ(plan_model(config).error().hint, "did you mean 'h100'?");
  config.hardware = "";
  config.price = 2.0;
  EXPECT_THAT(plan_model(config).error().message, HasSubstr("--tflops"));
  config.model.heads = 7;
  EXPECT_THAT(plan_model(config).error().message, HasSubstr("multiple of heads"));
}

TEST(Plan, SizesThatNoMachineHoldsAreRefused) {
  PlanConfig config = config_of("gpt2");
  config.batch = int64_t{1} << 50;
  EXPECT_THAT(plan_model(config).error().message, HasSubstr("more than 2^62 bytes"));
  config = config_of("gpt2");
  config.model.hidden = config.model.intermediate = 1 << 24;
  config.model.heads = 1;
  config.model.layers = 1 << 14;
  EXPECT_THAT(plan_model(config).error().message, HasSubstr("more than 2^62 bytes"));
  EXPECT_TRUE(plan_model(config_of("llama-3.1-405b")).ok());
}

TEST(Plan, OptimalSizesSpendTheBudget) {
  for (const Optimum& optimum : optimal_sizes(1e21)) {
    EXPECT_NEAR(6 * optimum.parameters * optimum.tokens, 1e21, 1e12) << optimum.law;
    EXPECT_GT(optimum.loss, 1.5) << optimum.law;
    EXPECT_LT(optimum.loss, 4.0) << optimum.law;
  }
}

TEST(Report, TextAndJsonSayTheSame) {
  const ModelPlan plan = plan_model(config_of("gpt2")).value();
  const std::string text = to_text(plan);
  EXPECT_THAT(text, HasSubstr("124,439,808"));
  EXPECT_THAT(text, HasSubstr("QLoRA"));
  EXPECT_THAT(text, HasSubstr("1 x h100"));
  const nlohmann::ordered_json json = to_json(plan);
  EXPECT_EQ(json["parameters"]["total"], 124439808);
  EXPECT_EQ(json["training"]["full"]["total_bytes"], plan.full.total(false));
  EXPECT_EQ(json["generation"]["weights"]["q8_0"]["bits_per_weight"], 8.5);
  EXPECT_EQ(json["hardware"].size(), hardware().size());
}

TEST(Report, EveryFormulaNamesItsSource) {
  for (const Formula& formula : formulas()) {
    EXPECT_FALSE(formula.formula.empty()) << formula.what;
    EXPECT_FALSE(formula.source.empty()) << formula.what;
    EXPECT_THAT(formulas_text(), HasSubstr(formula.source));
  }
}

}  // namespace
}  // namespace quern::plan
