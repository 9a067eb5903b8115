// Any bytes as config.json: refused, or read as a config that its family can write and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "model/family.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern;
  constexpr int64_t kFewBlocks = 64;  // whose parameters are named in no time
  const auto json = parse_json({reinterpret_cast<const char*>(data), size}, "config.json");
  if (!json.ok()) return 0;
  const auto config = model::read_config(*json, "config.json");
  if (!config.ok()) return 0;
  if (!config->validate().ok()) std::abort();
  const auto written = model::write_config(*config);
  if (written.ok() && !model::read_config(nlohmann::json(*written), "config.json").ok()) std::abort();
  const int64_t blocks = (config->layers + config->encoder_layers) * (config->experts + 1);
  if (blocks > kFewBlocks) return 0;
  if (model::find_family(config->family).value()->tensors(*config).empty()) std::abort();
  return 0;
}
