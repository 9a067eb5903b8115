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

constinit const Codebook<256, 8> kIq2XxsBook = read_book<256, 8>(kIq2XxsGroups, kThirds);
constinit const Codebook<512, 8> kIq2XsBook = read_book<512, 8>(kIq2XsGroups, kThirds);
constinit const Codebook<1024, 8> kIq2SBook = read_book<1024, 8>(kIq2SGroups, kThirds);
constinit const Codebook<256, 4> kIq3XxsBook = read_book<256, 4>(kIq3XxsGroups, kEighths);
constinit const Codebook<512, 4> kIq3SBook = read_book<512, 4>(kIq3SGroups, kOdd);
constinit const Codebook<2048, 8> kIq1Book = read_book<2048, 8>(kIq1Groups, kTernary);

}  // namespace quern
