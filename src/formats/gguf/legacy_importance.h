// Importance matrices as llama.cpp wrote them before it had GGUF for them ("imatrix.dat").
//
// Little-endian: i32 entries; of each entry i32 length and bytes of the name, i32 calls, i32 values, f32 values; then,
// in files since 2024, i32 chunks, i32 length and bytes of the name of the text. A value is a mean square times the
// calls; those of stacked experts lie one after the other.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "formats/gguf/importance_matrix.h"

namespace quern::formats {

// `bytes` of a whole file, which may be hostile. corrupt names `source`, the entry, what was expected and what is there.
// Sizes of chunks are not in the file, and so 0.
Result<ImportanceMatrix> parse_legacy_importance(std::span<const std::byte> bytes, std::string_view source);

}  // namespace quern::formats
