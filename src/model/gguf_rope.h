// Rotary positions in GGUF: keys, and the frequencies that some files have as tensors.
#pragma once

#include <functional>

#include "formats/gguf/contents.h"
#include "model/family.h"
#include "model/gguf_keys.h"

namespace quern::model {

// The key of norm_eps, which tells the kind of norm.
inline std::string_view norm_eps_key(const ModelConfig& c) {
  return c.norm == ops::NormKind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
}

// Sets config.rope and config.local_rope_theta. `tensor` is the tensor of a name, or any error when there is none.
void read_gguf_rope(GgufKeys& keys, const std::function<Result<Tensor>(std::string_view)>& tensor,
                    ModelConfig& config);
// Adds keys, and tensors of frequencies. invalid_argument for what files cannot say.
Result<void> write_gguf_rope(const ModelConfig& config, const Family& family, formats::GgufContents& file);

}  // namespace quern::model
