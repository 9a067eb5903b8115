// What an index in a block stands for: the levels of the 4-bit types that are not evenly spaced, and the
// groups of 8 (or 4) magnitudes of IQ1, IQ2 and IQ3. Data of the GGUF format (the ggml library defines it), and of NF4.
#pragma once

#include <cstdint>

namespace quern {

extern const int8_t kIq4Levels[16];  // of IQ4_NL and IQ4_XS, ascending
extern const int8_t kFp4Levels[16];  // of MXFP4 and NVFP4: E2M1 numbers times two
// Quantiles of the normal distribution, 0 among them (Dettmers et al. 2023, arXiv 2305.14314, appendix E), ascending.
extern const float kNf4Levels[16];

template <int kCount, int kSize>
struct Codebook {
  int8_t groups[kCount][kSize];
};

extern const Codebook<256, 8> kIq2XxsBook;  // 8, 25, 43
extern const Codebook<512, 8> kIq2XsBook;
extern const Codebook<1024, 8> kIq2SBook;
extern const Codebook<256, 4> kIq3XxsBook;  // 4, 12, ... 52, 62
extern const Codebook<512, 4> kIq3SBook;    // 1, 3, ... 15
extern const Codebook<2048, 8> kIq1Book;    // -1, 0, 1: of IQ1_S and IQ1_M

}  // namespace quern
