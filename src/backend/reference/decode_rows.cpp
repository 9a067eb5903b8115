// The value of each element of each block type, one by one, straight from its layout (tensor/block_formats.h).
#include "backend/reference/access.h"
#include "backend/reference/kernels.h"
#include "tensor/block_codebooks.h"
#include "tensor/block_formats.h"

namespace quern::backend::reference {

namespace {

int bit(const uint8_t* bytes, int i) { return bytes[i / 8] >> (i % 8) & 1; }
// Nibble i when a block of `count` elements keeps its first half in the low nibbles.
int split_nibble(const uint8_t* bytes, int i, int count) {
  return i < count / 2 ? bytes[i] & 15 : bytes[i - count / 2] >> 4;
}
// Nibble i when each run of 32 bytes holds 32 elements in its low nibbles, then 32 in its high ones.
int run_nibble(const uint8_t* bytes, int i) { return bytes[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15; }
// Two bits of element i when each run of 32 bytes holds four times 32 elements, lowest bits first.
int run_pair(const uint8_t* bytes, int i) { return bytes[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3; }
// Plain nibble i, low one first.
int nibble(const uint8_t* bytes, int i) { return bytes[i / 2] >> (i % 2 * 4) & 15; }

// `magnitude` with the sign of bit i.
int with_sign(int magnitude, uint8_t signs, int i) { return (signs >> i & 1) != 0 ? -magnitude : magnitude; }

double value(const BlockQ4_0& b, int i) { return to_double(b.d) * (split_nibble(b.qs, i, 32) - 8); }
double value(const BlockQ4_1& b, int i) {
  return to_double(b.d) * split_nibble(b.qs, i, 32) + to_double(b.m);
}
double value(const BlockQ5_0& b, int i) {
  return to_double(b.d) * ((split_nibble(b.qs, i, 32) | bit(b.qh, i) << 4) - 16);
}
double value(const BlockQ5_1& b, int i) {
  return to_double(b.d) * (split_nibble(b.qs, i, 32) | bit(b.qh, i) << 4) + to_double(b.m);
}
double value(const BlockQ8_0& b, int i) { return to_double(b.d) * b.qs[i]; }
double value(const BlockIQ4_NL& b, int i) { return to_double(b.d) * kIq4Levels[split_nibble(b.qs, i, 32)]; }
double value(const BlockMXFP4& b, int i) {
  return to_double(half_e8m0(b.e)) * kFp4Levels[split_nibble(b.qs, i, 32)];
}
double value(const BlockNVFP4& b, int i) {
  return to_double(half_ue4m3(b.d[i / 16])) * kFp4Levels[split_nibble(b.qs + i / 16 * 8, i % 16, 16)];
}

double value(const BlockQ2_K& b, int i) {
  const int packed = b.scales[i / 16];
  return to_double(b.d) * (packed & 15) * run_pair(b.qs, i) - to_double(b.dmin) * (packed >> 4);
}
double value(const BlockQ3_K& b, int i) {
  const int high = b.hmask[i % 32] >> (i / 32) & 1;
  return to_double(b.d) * (q3k_scale(b.scales, i / 16) - 32) * (run_pair(b.qs, i) + 4 * high - 4);
}
double value(const BlockQ4_K& b, int i) {
  const ScaleAndMin s = q4k_scale(b.scales, i / 32);
  return to_double(b.d) * s.scale * run_nibble(b.qs, i) - to_double(b.dmin) * s.min;
}
double value(const BlockQ5_K& b, int i) {
  const ScaleAndMin s = q4k_scale(b.scales, i / 32);
  const int high = b.qh[i % 32] >> (i / 32) & 1;
  return to_double(b.d) * s.scale * (run_nibble(b.qs, i) | high << 4) - to_double(b.dmin) * s.min;
}
double value(const BlockQ6_K& b, int i) {
  const int half = i / 128, in_half = i % 128;
  const int low = b.ql[half * 64 + in_half % 64] >> (in_half / 64 * 4) & 15;
  const int scale = b.scales[i / 16];
  return to_double(b.d) * scale * ((low | run_pair(b.qh, i) << 4) - 32);
}
double value(const BlockIQ4_XS& b, int i) {
  const int group = i / 32;
  const int q = split_nibble(b.qs + group * 16, i % 32, 32);
  return to_double(b.d) * (iq4xs_scale(b, group) - 32) * kIq4Levels[q];
}

double value(const BlockIQ2_XXS& b, int i) {
  const uint8_t(&group)[8] = b.qs[i / 32];
  const uint32_t packed = load_u32(group + 4);
  const int eight = i % 32 / 8;
  const uint8_t signs = even_signs(packed >> (7 * eight) & 127);
  const double scale = to_double(b.d) * (static_cast<double>(packed >> 28) + 0.5) * 0.25;
  return scale * with_sign(kIq2XxsBook.groups[group[eight]][i % 8], signs, i % 8);
}
double value(const BlockIQ2_XS& b, int i) {
  const uint16_t packed = b.qs[i / 8];
  const double scale = to_double(b.d) * (nibble(b.scales, i / 16) + 0.5) * 0.25;
  return scale * with_sign(kIq2XsBook.groups[packed & 511][i % 8], even_signs(packed >> 9), i % 8);
}
double value(const BlockIQ2_S& b, int i) {
  const int index = b.qs[i / 8] | (b.qh[i / 32] >> (i / 8 % 4 * 2) & 3) << 8;
  const double scale = to_double(b.d) * (nibble(b.scales, i / 16) + 0.5) * 0.25;
  return scale * with_sign(kIq2SBook.groups[index][i % 8], b.signs[i / 8], i % 8);
}
double value(const BlockIQ3_XXS& b, int i) {
  const uint32_t packed = load_u32(b.signs[i / 32]);
  const uint8_t signs = even_signs(packed >> (7 * (i % 32 / 8)) & 127);
  const double scale = to_double(b.d) * (static_cast<double>(packed >> 28) + 0.5) * 0.5;
  return scale * with_sign(kIq3XxsBook.groups[b.qs[i / 4]][i % 4], signs, i % 8);
}
double value(const BlockIQ3_S& b, int i) {
  const int index = b.qs[i / 4] | bit(b.qh, i / 4) << 8;
  const double scale = to_double(b.d) * (1 + 2 * nibble(b.scales, i / 32));
  return scale * with_sign(kIq3SBook.groups[index][i % 4], b.signs[i / 8], i % 8);
}
double value(const BlockIQ1_S& b, int i) {
  const int packed = b.qh[i / 32];
  const int index = b.qs[i / 8] | (packed >> (i / 8 % 4 * 3) & 7) << 8;
  const double shift = (packed & 0x8000) != 0 ? -0.125 : 0.125;
  return to_double(b.d) * (2 * (packed >> 12 & 7) + 1) * (kIq1Book.groups[index][i % 8] + shift);
}
double value(const BlockIQ1_M& b, int i) {
  const int packed = nibble(b.qh, i / 8), scale = b.scales[i / 64] >> (i / 16 % 4 * 3) & 7;
  const int index = b.qs[i / 8] | (packed & 7) << 8;
  const double shift = (packed & 8) != 0 ? -0.125 : 0.125;
  return to_double(iq1m_scale(b)) * (2 * scale + 1) * (kIq1Book.groups[index][i % 8] + shift);
}

double value(const BlockTQ1_0& b, int i) {
  constexpr int kPowers[] = {1, 3, 9, 27, 81};
  const bool first = i < 160, last = i >= 240;
  const int digit = first ? i / 32 : last ? (i - 240) / 4 : (i - 160) / 16;
  const uint8_t byte = first ? b.qs[i % 32] : last ? b.qh[i % 4] : b.qs[32 + i % 16];
  const int fraction = byte * kPowers[digit] & 255;  // in 256ths: the digit is its integer part times 3
  return to_double(b.d) * ((fraction * 3 >> 8) - 1);
}
double value(const BlockTQ2_0& b, int i) { return to_double(b.d) * (run_pair(b.qs, i) - 1); }

double value(const BlockNF4& b, int i, float scale) {
  const int q = i % 2 == 0 ? b.qs[i / 2] >> 4 : b.qs[i / 2] & 15;
  return to_double(kNf4Levels[q]) * to_double(scale);
}

}  // namespace

bool decode_rows(const DecodeRowsArgs& a) {
  visit_block(a.x_dtype, [&]<class Block>() {
    const Block* blocks = static_cast<const Block*>(a.x);
    for (int64_t i = 0; i < a.rows * a.cols; ++i) {
      const int64_t at = i / Block::kElements;
      const auto element = static_cast<int>(i % Block::kElements);
      const auto put = [&](float wide) { store(a.y, a.y_dtype, i, to_double(wide)); };
      if constexpr (has_scales_beside(block_dtype<Block>))
        put(a.scales.rounded(static_cast<float>(value(blocks[at], element, a.scales.of(at)))));
      else
        put(static_cast<float>(value(blocks[at], element)));
    }
  });
  return true;
}

}  // namespace quern::backend::reference
