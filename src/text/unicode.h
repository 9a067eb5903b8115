// Unicode for tokenizers: UTF-8, character classes and normalisation forms.
//
// Classes come from a table of this project (Unicode 16.0), not from an installed library, so that a text is
// split the same way on every machine. Normalisation forms come from utf8proc. All functions are thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern::text {

inline constexpr char32_t kReplacement = 0xFFFD;
inline constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";

// One step of decoding. Ill-formed input decodes to U+FFFD over a "maximal subpart" (Unicode 16.0,
// section 3.9, the practice of the WHATWG decoder): `valid` tells it from a real U+FFFD.
struct Decoded {
  char32_t code_point;
  uint32_t length;  // bytes consumed, at least 1
  bool valid;
};
// Precondition: !bytes.empty().
Decoded decode_utf8(std::string_view bytes);

// Appends the UTF-8 form of `code_point` (surrogates and values past U+10FFFF become U+FFFD).
void append_utf8(std::string& out, char32_t code_point);

// Length of the longest well-formed prefix; equals text.size() when the text is valid UTF-8.
size_t valid_utf8_prefix(std::string_view text);
// Bytes at the end that begin a character whose rest may still come (0 to 3).
size_t incomplete_utf8_suffix(std::string_view text);

struct Repaired {
  std::string text;         // valid UTF-8
  size_t replacements = 0;  // U+FFFD inserted
};
Repaired repair_utf8(std::string_view text);

// Classes as bits, combined from general categories.
enum Class : uint16_t {
  kUpper = 1,                            // Lu, Lt
  kLower = 2,                            // Ll
  kUncased = 4,                          // Lm, Lo
  kLetter = kUpper | kLower | kUncased,  // \p{L}
  kMark = 8,                             // \p{M}
  kNumber = 16,                          // \p{N}
  kPunctuation = 32,                     // \p{P}
  kSymbol = 64,                          // \p{S}
  kSpace = 128,                          // White_Space, the usual \s
  kWord = 256,                           // \w: Alphabetic, M, Nd, Pc, Join_Control (UTS 18)
};

namespace detail {
// Two stages: blocks of 256 code points, then one byte per code point: category, or'ed with 32 for
// White_Space.
struct CategoryTable {
  std::array<uint16_t, 0x1100> block;
  std::string categories;
  uint8_t at(char32_t cp) const {
    return static_cast<uint8_t>(categories[size_t{block[cp >> 8]} << 8 | (cp & 255)]);
  }
};
const CategoryTable& category_table();
extern const std::array<uint16_t, 64> kClassOfCategory;
extern const std::array<uint16_t, 128> kClassOfAscii;
}  // namespace detail

// General categories in the order of unicode_categories.inc.
enum class Category : uint8_t {
  Cn,
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Cs,
  Co
};
// Precondition of both: code_point <= 0x10FFFF.
Category category_of(char32_t code_point);
// The bits of Class; kWord is included.
uint16_t classes_of(char32_t code_point);
inline bool is_space(char32_t code_point) { return classes_of(code_point) & kSpace; }

enum class NormalForm { nfc, nfd, nfkc, nfkd };
// The normal form of valid UTF-8. Text that is all ASCII comes back as it is.
std::string normalize(std::string_view text, NormalForm form);
// True when no normalisation of the text before `code_point` can touch it or what follows: it starts a new
// combining sequence and composes with nothing before it.
bool is_normalization_boundary(char32_t code_point);
// Appends the full lower-case mapping (one character, or two for U+0130).
void append_lowercase(std::string& out, char32_t code_point);

}  // namespace quern::text
