#include "formats/peft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "support/temp_dir.h"

namespace quern::formats {
namespace {

Result<PeftConfig> read(const char* text) {
  return read_peft_config(nlohmann::json::parse(text), "adapter_config.json");
}

TEST(PeftConfig, ModulesAreNamedByWholeNamesAtTheEnd) {
  constexpr std::string_view kModule = "model.layers.1.self_attn.q_proj";
  for (const char* names : {"q_proj", "self_attn.q_proj", "1.self_attn.q_proj",
                            "model.layers.1.self_attn.q_proj", "^model.layers.1.self_attn.q_proj"})
    EXPECT_TRUE(names_module(names, kModule)) << names;
  for (const char* other : {"proj", "_proj", "", "k_proj", "^q_proj", "q_proj.x"})
    EXPECT_FALSE(names_module(other, kModule)) << other;
}

TEST(PeftConfig, ScalesByRankAndAlphaOfEachModule) {
  const PeftConfig config =
      read(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "rank_pattern": {"q_proj": 2},
               "alpha_pattern": {"layers.0.v_proj": 20}, "unknown": [1]})")
          .value();
  EXPECT_EQ(config.rank_of("layers.0.q_proj"), 2);
  EXPECT_EQ(config.rank_of("layers.0.v_proj"), 4);
  EXPECT_EQ(config.scale_of("layers.0.q_proj", 2), 4.0);
  EXPECT_EQ(config.scale_of("layers.0.v_proj", 4), 5.0);
  const PeftConfig stable =
      read(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": true})").value();
  EXPECT_EQ(stable.scale_of("x", 4), 4.0);
}

TEST(PeftConfig, IsReadAsItIsWritten) {
  const PeftConfig config{.base = "org/base",
                          .rank = 16,
                          .alpha = 32.5,
                          .dropout = 0.05,
                          .rank_stabilised = true,
                          .magnitudes = true,
                          .targets = {"q_proj", "v_proj"},
                          .ranks = {{"v_proj", 4}},
                          .alphas = {{"v_proj", 1.5}}};
  const nlohmann::ordered_json json = write_peft_config(config);
  EXPECT_EQ(write_peft_config(read(json.dump().c_str()).value()), json);
}

TEST(PeftConfig, RefusesWhatItDoesNotKnow) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"r": 4})", "peft_type"},
      {R"([])", "an object"},
      {R"({"peft_type": "LOHA"})", "PREFIX_TUNING, got \"LOHA\""},
      {R"({"peft_type": "LORA", "r": 0})", "r: expected a whole number"},
      {R"({"peft_type": "LORA", "r": 4000000000})", "r: expected a whole number"},
      {R"({"peft_type": "LORA", "r": "4"})", "r: expected a whole number"},
      {R"({"peft_type": "LORA", "lora_alpha": -1})", "lora_alpha: expected a positive number"},
      {R"({"peft_type": "LORA", "lora_dropout": 1.0})", "lora_dropout"},
      {R"({"peft_type": "LORA", "rank_pattern": {"q.*": 2}})", "is an expression"},
      {R"({"peft_type": "LORA", "rank_pattern": {"q": 0}})", "rank_pattern.q"},
      {R"({"peft_type": "LORA", "bias": "all"})", "bias is \"all\""},
      {R"({"peft_type": "LORA", "modules_to_save": ["lm_head"]})", "modules_to_save"},
      {R"({"peft_type": "LORA", "target_modules": [1]})", "target_modules"}};
  for (const auto& [text, message] : cases) {
    const auto config = read(text);
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_THAT(config.error().message, testing::HasSubstr(message)) << text;
  }
}

TEST(PeftFolder, SaysWhatAFolderLacks) {
  const std::filesystem::path folder = test::process_temp_dir() / "adapter";
  std::filesystem::create_directories(folder);
  EXPECT_THAT(PeftFolder::open(folder).error().message, testing::HasSubstr("has no adapter_config.json"));
  write_file_atomic(folder / "adapter_config.json", std::string_view(R"({"peft_type": "LORA"})")).value();
  write_file_atomic(folder / "adapter_model.bin", std::string_view("x")).value();
  EXPECT_THAT(PeftFolder::open(folder).error().message, testing::HasSubstr("only adapter_model.bin"));
}

}  // namespace
}  // namespace quern::formats
