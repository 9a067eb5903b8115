// Memory and limits of generation.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/decoder.h"

namespace quern::plan {

// How numbers are stored: blocks of `values` numbers in `bytes` bytes, scales included.
struct Precision {
  std::string_view name;
  int64_t values;
  int64_t bytes;

  double bits() const { return 8.0 * static_cast<double>(bytes) / static_cast<double>(values); }
  // Of `rows` rows of `cols` numbers; a row takes whole blocks.
  int64_t size(int64_t rows, int64_t cols) const { return rows * ((cols + values - 1) / values) * bytes; }
};

// Block formats of GGUF (ggml's quantised types).
inline constexpr Precision kF32{"f32", 1, 4}, kBf16{"bf16", 1, 2}, kQ8_0{"q8_0", 32, 34},
    kQ6K{"q6_k", 256, 210}, kQ4K{"q4_k", 256, 144};

std::span<const Precision> weight_precisions();
std::span<const Precision> cache_precisions();

// All weights: matrices in `precision`, vectors in f32.
int64_t weight_bytes(const model::Decoder& model, const Precision& precision);
// The weights a decoding step reads: without tables of which it looks up one row.
int64_t step_bytes(const model::Decoder& model, const Precision& precision);
// Keys and values of one sequence with room for `tokens` tokens, as the engine keeps them: 2 L K D numbers per token in
// whole blocks of 64 tokens, and no more than a window and a chunk of prompt where a layer has a window.
int64_t cache_bytes(const model::Decoder& model, int64_t tokens, const Precision& precision);

}  // namespace quern::plan
