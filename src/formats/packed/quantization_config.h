// How a Hugging Face checkpoint says that its weights are quantised: "quantization_config" in config.json, or the
// quantize_config.json that AutoGPTQ left beside it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "formats/hf_folder.h"

namespace quern::formats {

enum class Quantizer { gptq, awq, bitsandbytes };

struct QuantizationConfig {
  Quantizer quantizer = Quantizer::gptq;
  int64_t group_size = -1;      // columns that share a scale, -1 for all; GPTQ and AWQ
  bool zeros_less_one = false;  // GPTQ of the first version stores zero points less 1
  std::string summary = {};     // "gptq, 4 bits, groups of 128"
};

// Nothing where weights are as they are computed with. unsupported, naming what is known, for other ways; corrupt for
// settings that cannot be.
Result<std::optional<QuantizationConfig>> read_quantization_config(const ModelFolder& folder);

}  // namespace quern::formats
