#include "tensor/block_codebooks.h"

#include <string_view>

namespace quern {

namespace {

#include "tensor/block_codebooks.inc"

constexpr int8_t kThirds[] = {8, 25, 43};
constexpr int8_t kTernary[] = {-1, 0, 1};
constexpr int8_t kEighths[] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr int8_t kOdd[] = {1, 3, 5, 7, 9, 11, 13, 15};

constexpr unsigned hex_digit(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); }

// Reads groups of four hexadecimal digits: the number of each element's level in `levels`, first element
// lowest.
template <int kCount, int kSize, int kLevels>
constexpr Codebook<kCount, kSize> read_book(std::string_view digits, const int8_t (&levels)[kLevels]) {
  constexpr unsigned kBits = kLevels == 3 ? 2 : 3;
  Codebook<kCount, kSize> book{};
  for (size_t i = 0; i < kCount; ++i) {
    unsigned group = 0;
    for (size_t j = 0; j < 4; ++j) group = group << 4 | hex_digit(digits[4 * i + j]);
    for (unsigned j = 0; j < kSize; ++j)
      book.groups[i][j] = levels[group >> (kBits * j) & ((1u << kBits) - 1)];
  }
  return book;
}

}  // namespace

constinit const int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};
constinit const int8_t kFp4Levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
constinit const float kNf4Levels[16] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

constinit const Codebook<256, 8> kIq2XxsBook = read_book<256, 8>(kIq2XxsGroups, kThirds);
constinit const Codebook<512, 8> kIq2XsBook = read_book<512, 8>(kIq2XsGroups, kThirds);
constinit const Codebook<1024, 8> kIq2SBook = read_book<1024, 8>(kIq2SGroups, kThirds);
constinit const Codebook<256, 4> kIq3XxsBook = read_book<256, 4>(kIq3XxsGroups, kEighths);
constinit const Codebook<512, 4> kIq3SBook = read_book<512, 4>(kIq3SGroups, kOdd);
constinit const Codebook<2048, 8> kIq1Book = read_book<2048, 8>(kIq1Groups, kTernary);

}  // namespace quern
