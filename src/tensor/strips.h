// Block-quantised matrices laid out for products: strips of 16 rows whose codes lie side by side, so that one
// vector holds the same four columns of all of them.
//
// A strip of a matrix [N, K] is two runs of bytes: scales first, codes from `codes_at` on. Columns go in groups of 32.
// A code is an unsigned number of `bits` bits; with it an element is scale * (level(code) - zero) + min. The codes of a
// group are eight quads: quad q is 64 bytes, [16 rows][columns 4q to 4q + 3], spread over bit planes of 64 bytes:
//   4 bits: 4 planes; the low nibbles of plane p are quad p, the high ones quad p + 4
//   2 bits: 2 planes; bits 2j and 2j + 1 of plane p are quad 4p + j
//   1 bit:  1 plane; bit j is quad j
//   8 bits: the quads themselves
// and 3, 5 and 6 bits are the planes of 2 + 1, 4 + 1 and 4 + 2, the lowest bits first. The scales of a group are
// [columns / columns_per_scale][16 rows], then as many mins. Where they are `fine` they are i8 and multiply an f16 that
// 256 columns share: those lie before the scales of all groups, [16 rows] of scales, then of mins, for each 256
// columns. Rows beyond N are zero. No std templates, and functions
// inlined always: the kernels of backend/cpu/isa include this file, and each instruction set has its own copy.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace quern {

inline constexpr int64_t kStripRows = 16;
inline constexpr int64_t kStripGroup = 32;   // columns
inline constexpr int64_t kStripSuper = 256;  // columns that share the f16 of fine scales

enum class StripLevels : uint8_t { linear, iq4, fp4, nf4 };  // level(code): code, or a table's entry + zero
enum class StripScale : uint8_t { f16, bf16, f32, fine };

struct StripFormat {
  int bits;
  StripLevels levels;
  int zero;               // a power of two, or 0
  int columns_per_scale;  // 32 or 16
  StripScale scale;
  bool mins;
};

// Types that stand in no line of their own are decoded and rounded to 8 bits.
[[gnu::always_inline]] constexpr StripFormat strip_format(DType dtype) {
  using enum StripLevels;
  using enum StripScale;
  switch (dtype) {
    case DType::q4_0:
      return {4, linear, 8, 32, f16, false};
    case DType::q4_1:
      return {4, linear, 0, 32, f16, true};
    case DType::q5_0:
      return {5, linear, 16, 32, f16, false};
    case DType::q5_1:
      return {5, linear, 0, 32, f16, true};
    case DType::q8_0:
      return {8, linear, 128, 32, f16, false};
    case DType::q2_k:
      return {2, linear, 0, 16, fine, true};
    case DType::q3_k:
      return {3, linear, 4, 16, fine, false};
    case DType::q4_k:
      return {4, linear, 0, 32, fine, true};
    case DType::q5_k:
      return {5, linear, 0, 32, fine, true};
    case DType::q6_k:
      return {6, linear, 32, 16, fine, false};
    case DType::iq4_nl:
      return {4, iq4, 128, 32, f16, false};
    case DType::iq4_xs:
      return {4, iq4, 128, 32, fine, false};
    case DType::mxfp4:
      return {4, fp4, 16, 32, bf16, false};
    case DType::nvfp4:
      return {4, fp4, 16, 16, f16, false};
    case DType::nf4:
      return {4, nf4, 128, 32, f16, false};
    default:
      return {8, linear, 128, 16, f32, false};
  }
}

// Columns of the other factor that are rounded to 8 bits with one scale.
[[gnu::always_inline]] constexpr int64_t rounded_columns(const StripFormat& format) {
  return format.scale == StripScale::fine ? kStripSuper : kStripGroup;
}

// Byte offsets within one strip of `columns` columns (whole groups).
struct StripLayout {
  StripFormat format;
  int64_t columns;

  [[gnu::always_inline]] constexpr int64_t groups() const { return columns / kStripGroup; }
  [[gnu::always_inline]] constexpr int64_t code_bytes() const { return 64 * format.bits; }  // of a group
  [[gnu::always_inline]] constexpr int64_t scale_runs() const {
    return kStripGroup / format.columns_per_scale;
  }
  [[gnu::always_inline]] constexpr int64_t scale_size() const {
    return format.scale == StripScale::fine ? 1 : format.scale == StripScale::f32 ? 4 : 2;
  }
  [[gnu::always_inline]] constexpr int64_t super_bytes() const {
    return format.scale == StripScale::fine ? kStripRows * 2 * (format.mins ? 2 : 1) : 0;
  }
  [[gnu::always_inline]] constexpr int64_t scale_bytes() const {  // of a group
    return scale_runs() * kStripRows * scale_size() * (format.mins ? 2 : 1);
  }
  [[gnu::always_inline]] constexpr int64_t scales_at() const {
    return (columns + kStripSuper - 1) / kStripSuper * super_bytes();
  }
  [[gnu::always_inline]] constexpr int64_t codes_at() const {
    return (scales_at() + groups() * scale_bytes() + 63) / 64 * 64;
  }
  [[gnu::always_inline]] constexpr int64_t bytes() const { return codes_at() + groups() * code_bytes(); }
};

[[gnu::always_inline]] constexpr int64_t strip_count(int64_t rows) {
  return (rows + kStripRows - 1) / kStripRows;
}
// Whether a matrix of this dtype and K can be laid out so.
[[gnu::always_inline]] constexpr bool has_strips(DType dtype, int64_t columns) {
  return is_block(dtype) && columns > 0 && columns % kStripGroup == 0;
}

}  // namespace quern
