#include "model/presets.h"

#include <gtest/gtest.h>

#include "model/decoder.h"
#include "model/family.h"

namespace quern::model {
namespace {

// Parameters as the published weights have them.
TEST(Presets, HaveThePublishedNumbersOfParameters) {
  const std::pair<const char*, int64_t> published[] = {{"gpt2", 124439808},
                                                       {"gpt2-medium", 354823168},
                                                       {"gpt2-large", 774030080},
                                                       {"gpt2-xl", 1557611200},
                                                       {"smollm2-135m", 134515008},
                                                       {"smollm2-360m", 361821120},
                                                       {"smollm2-1.7b", 1711376384},
                                                       {"tinyllama-1.1b", 1100048384},
                                                       {"llama-2-7b", 6738415616},
                                                       {"llama-2-13b", 13015864320},
                                                       {"llama-2-70b", 68976648192},
                                                       {"llama-3-8b", 8030261248},
                                                       {"llama-3-70b", 70553706496},
                                                       {"llama-3.1-8b", 8030261248},
                                                       {"llama-3.1-70b", 70553706496},
                                                       {"llama-3.1-405b", 405853388800},
                                                       {"llama-3.2-1b", 1235814400},
                                                       {"llama-3.2-3b", 3212749824}};
  EXPECT_EQ(std::size(published), presets().size());
  for (const auto& [name, count] : published) {
    const Preset* preset = find_preset(name);
    ASSERT_NE(preset, nullptr) << name;
    EXPECT_EQ(nn::parameter_count(Decoder::create(preset->config).value()), count) << name;
  }
}

TEST(Presets, CanBeWrittenAsTheirFamilys) {
  for (const Preset& preset : presets()) {
    const auto json = write_config(preset.config);
    EXPECT_TRUE(json.ok()) << preset.name << ": " << json.error().to_string();
  }
}

TEST(Presets, UnknownNamesAreNone) { EXPECT_EQ(find_preset("gpt3"), nullptr); }

}  // namespace
}  // namespace quern::model
