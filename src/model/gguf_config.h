// ModelConfig from the metadata of GGUF files and back.
#pragma once

#include "formats/gguf/contents.h"
#include "model/family.h"

namespace quern::model {

// More than any GGUF model has.
inline constexpr int64_t kMaxGgufLayers = 512;

// unsupported where GGUF has no architecture for the config's family.
Result<void> check_gguf_family(const ModelConfig& config);

// A matrix that files hold as f32 whatever the others are: positions, token types, routers, relative positions.
bool gguf_keeps_wide(std::string_view tensor);

// The config of a model in GGUF, validated. Which biases there are, and whether the head is tied, follows from
// its tensors. Errors: unsupported for another architecture (names the known ones) or what Quern does not compute;
// corrupt names the key, its value and its limits; not_found a key that is missing.
Result<ModelConfig> read_gguf_config(const formats::GgufArchive& archive);

// The head of a file for `config`: its metadata, and tensors that are settings (rotary frequencies).
// invalid_argument names the first choice that the architecture cannot express. The tokenizer's part is the
// caller's.
Result<formats::GgufContents> write_gguf_config(const ModelConfig& config);

}  // namespace quern::model
