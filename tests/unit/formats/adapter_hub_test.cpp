#include "formats/adapter_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quern::formats {
namespace {

Result<PeftConfig> read_hub(const std::string& text) {
  return read_peft_config(nlohmann::json::parse(text), "adapter_config.json");
}

TEST(AdapterHubConfig, IsReadAsItIsWritten) {
  const PeftConfig config{.base = "org/base",
                          .dropout = 0.1,
                          .method = PeftMethod::bottleneck,
                          .bottleneck = {.name = "task",
                                         .reduction = 12.5,
                                         .activation = "gelu",
                                         .scale = 4.0,
                                         .attention = false,
                                         .reads_stream = true,
                                         .leave_out = {1, 3}}};
  const PeftConfig again = read_hub(write_peft_config(config).dump()).value();
  EXPECT_EQ(again.method, PeftMethod::bottleneck);
  EXPECT_EQ(again.base, "org/base");
  EXPECT_EQ(again.dropout, 0.1);
  EXPECT_EQ(again.bottleneck.name, "task");
  EXPECT_EQ(again.bottleneck.reduction, 12.5);
  EXPECT_EQ(again.bottleneck.activation, "gelu");
  EXPECT_EQ(again.bottleneck.scale, 4.0);
  EXPECT_FALSE(again.bottleneck.attention);
  EXPECT_TRUE(again.bottleneck.mlp);
  EXPECT_TRUE(again.bottleneck.reads_stream);
  EXPECT_EQ(again.bottleneck.leave_out, (std::vector<int64_t>{1, 3}));
}

// Files of releases without a version call tanh's approximation gelu.
TEST(AdapterHubConfig, KnowsOldNamesOfActivations) {
  const std::string old = R"({"config": {"non_linearity": "gelu"}, "name": "a"})",
                    now = R"({"config": {"non_linearity": "gelu"}, "name": "a", "version": "3.2.1"})";
  EXPECT_EQ(read_hub(old).value().bottleneck.activation, "gelu_new");
  EXPECT_EQ(read_hub(now).value().bottleneck.activation, "gelu");
}

TEST(AdapterHubConfig, RefusesWhatIsNoPlainBottleneck) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("architecture": "lora")", "architecture is \"lora\""},
      {R"("is_parallel": true)", "is_parallel is true"},
      {R"("ln_before": true)", "ln_before is true"},
      {R"("use_gating": true)", "use_gating is true"},
      {R"("inv_adapter": "nice")", "inv_adapter is \"nice\""},
      {R"("phm_layer": true)", "phm_layer is true"},
      {R"("residual_before_ln": "post_add")", "residual_before_ln is \"post_add\""},
      {R"("scaling": "learned")", "scaling is \"learned\""},
      {R"("mh_adapter": 1)", "mh_adapter: expected true or false, got 1"},
      {R"("dropout": 1.5)", "dropout: expected a number from 0 to below 1, got 1.5"},
      {R"("reduction_factor": -2)", "reduction_factor: expected a number from"},
      {R"("leave_out": [-1])", "leave_out: expected a list of layers, got -1"},
  };
  for (const auto& [setting, message] : cases) {
    const auto config = read_hub(
        std::string(R"({"name": "a", "version": "adapters.1.3.0", "config": {"non_linearity": "relu", )") +
        setting + "}}");
    ASSERT_FALSE(config.ok()) << setting;
    EXPECT_THAT(config.error().message, testing::HasSubstr(message));
  }
}

}  // namespace
}  // namespace quern::formats
