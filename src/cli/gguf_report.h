// What a GGUF file holds, for `quern inspect`: metadata, quantisation, tensors.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "formats/gguf/archive.h"

namespace quern::cli {

// Tables for people; `tensors` lists each of them.
std::string gguf_to_text(const formats::GgufArchive& archive, bool tensors);
// The same as one document: arrays of the metadata by type, length and first elements.
nlohmann::ordered_json gguf_to_json(const formats::GgufArchive& archive);

}  // namespace quern::cli
