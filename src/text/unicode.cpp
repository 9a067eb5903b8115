#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "base/exception.h"

namespace quern::text {

namespace {
constexpr std::string_view kCategoryRuns =
#include "text/unicode_categories.inc"
    ;
constexpr std::string_view kCategoryLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZwxyz";
constexpr uint8_t kSpaceBit = 32;

std::string expand_runs() {
  std::string categories;
  categories.reserve(0x110000);
  size_t length = 0;
  for (const char c : kCategoryRuns) {
    if (c >= '0' && c <= '9') {
      length = length * 32 + static_cast<size_t>(c - '0');
    } else if (c >= 'a' && c <= 'v') {
      length = length * 32 + static_cast<size_t>(c - 'a' + 10);
    } else {
      categories.append(length == 0 ? 1 : length, static_cast<char>(kCategoryLetters.find(c)));
      length = 0;
    }
  }
  return categories;
}

detail::CategoryTable build_table() {
  std::string all = expand_runs();
  if (all.size() != 0x110000) throw InternalError("the table of Unicode categories is damaged");
  for (char& c : all) {
    const auto category = static_cast<Category>(c);
    if (category >= Category::Zs && category <= Category::Zp) c |= kSpaceBit;
  }
  for (const size_t control : {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85}) all[control] |= kSpaceBit;
  detail::CategoryTable table;
  std::map<std::string_view, uint16_t> known;
  for (size_t block = 0; block < table.block.size(); ++block) {
    const std::string_view bytes = std::string_view(all).substr(block * 256, 256);
    const auto [where, is_new] = known.try_emplace(bytes, static_cast<uint16_t>(known.size()));
    table.block[block] = where->second;
    if (is_new) table.categories.append(bytes);
  }
  return table;
}

constexpr uint16_t class_of(Category category) {
  switch (category) {
    case Category::Lu:
    case Category::Lt:
      return kUpper | kWord;
    case Category::Ll:
      return kLower | kWord;
    case Category::Lm:
    case Category::Lo:
      return kUncased | kWord;
    case Category::Mn:
    case Category::Mc:
    case Category::Me:
      return kMark | kWord;
    case Category::Nd:
    case Category::Nl:
      return kNumber | kWord;
    case Category::No:
      return kNumber;
    case Category::Pc:
      return kPunctuation | kWord;
    case Category::Pd:
    case Category::Ps:
    case Category::Pe:
    case Category::Pi:
    case Category::Pf:
    case Category::Po:
      return kPunctuation;
    case Category::Sm:
    case Category::Sc:
    case Category::Sk:
    case Category::So:
      return kSymbol;
    default:
      return 0;
  }
}

constexpr std::array<uint16_t, 64> make_classes() {
  std::array<uint16_t, 64> classes{};
  for (size_t i = 0; i < 32; ++i) {
    classes[i] = class_of(static_cast<Category>(i));
    classes[i | kSpaceBit] = classes[i] | kSpace;
  }
  return classes;
}

constexpr std::array<uint16_t, 128> make_ascii_classes() {
  std::array<uint16_t, 128> classes{};
  for (size_t c = 33; c < 127; ++c) classes[c] = kPunctuation;
  for (const char c : std::string_view("$+<=>^`|~")) classes[static_cast<size_t>(c)] = kSymbol;
  for (size_t c = '0'; c <= '9'; ++c) classes[c] = kNumber | kWord;
  for (size_t c = 'A'; c <= 'Z'; ++c) classes[c] = kUpper | kWord;
  for (size_t c = 'a'; c <= 'z'; ++c) classes[c] = kLower | kWord;
  for (size_t c = '\t'; c <= '\r'; ++c) classes[c] = kSpace;
  classes[' '] = kSpace;
  classes['_'] |= kWord;
  return classes;
}

// Other_Alphabetic symbols (circled and squared letters) and the joiners: in \w without being letters.
constexpr bool is_other_word(char32_t cp) {
  return (cp >= 0x24B6 && cp <= 0x24E9) || (cp >= 0x1F130 && cp <= 0x1F149) ||
         (cp >= 0x1F150 && cp <= 0x1F169) || (cp >= 0x1F170 && cp <= 0x1F189) || cp == 0x200C || cp == 0x200D;
}

bool is_continuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }
}  // namespace

namespace detail {
const CategoryTable& category_table() {
  static const CategoryTable table = build_table();
  return table;
}
const std::array<uint16_t, 64> kClassOfCategory = make_classes();
const std::array<uint16_t, 128> kClassOfAscii = make_ascii_classes();
}  // namespace detail

Category category_of(char32_t code_point) {
  return static_cast<Category>(detail::category_table().at(code_point) & 31);
}

uint16_t classes_of(char32_t code_point) {
  if (code_point < 128) return detail::kClassOfAscii[code_point];
  const uint16_t classes = detail::kClassOfCategory[detail::category_table().at(code_point)];
  return is_other_word(code_point) ? classes | kWord : classes;
}

Decoded decode_utf8(std::string_view bytes) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) return {lead, 1, true};
  const uint32_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {kReplacement, 1, false};
  char32_t code_point = lead & (0xFFu >> (length + 1));
  for (uint32_t i = 1; i < length; ++i) {
    if (i == bytes.size() || !is_continuation(bytes[i])) return {kReplacement, i, false};
    const auto byte = static_cast<uint8_t>(bytes[i]);
    // The second byte alone decides about overlong forms, surrogates and values past U+10FFFF.
    const bool out_of_range = i == 1 && ((lead == 0xE0 && byte < 0xA0) || (lead == 0xED && byte > 0x9F) ||
                                         (lead == 0xF0 && byte < 0x90) || (lead == 0xF4 && byte > 0x8F));
    if (out_of_range) return {kReplacement, 1, false};
    code_point = code_point << 6 | (byte & 0x3Fu);
  }
  return {code_point, length, true};
}

void append_utf8(std::string& out, char32_t cp) {
  if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) cp = kReplacement;
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(static_cast<uint8_t>(byte))); };
  if (cp < 0x80) {
    put(cp);
  } else if (cp < 0x800) {
    put(0xC0 | cp >> 6);
    put(0x80 | (cp & 0x3F));
  } else if (cp < 0x10000) {
    put(0xE0 | cp >> 12);
    put(0x80 | (cp >> 6 & 0x3F));
    put(0x80 | (cp & 0x3F));
  } else {
    put(0xF0 | cp >> 18);
    put(0x80 | (cp >> 12 & 0x3F));
    put(0x80 | (cp >> 6 & 0x3F));
    put(0x80 | (cp & 0x3F));
  }
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t word;
    while (at + 8 <= text.size() &&
           (std::memcpy(&word, text.data() + at, 8), (word & 0x8080808080808080u) == 0))
      at += 8;
    if (at == text.size()) break;
    const Decoded step = decode_utf8(text.substr(at));
    if (!step.valid) return at;
    at += step.length;
  }
  return at;
}

size_t incomplete_utf8_suffix(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::string_view tail = text.substr(text.size() - back);
    if (is_continuation(tail[0])) continue;
    const Decoded step = decode_utf8(tail);
    // A maximal subpart that reaches the end and would have wanted more.
    const bool lead = static_cast<uint8_t>(tail[0]) >= 0xC2 && static_cast<uint8_t>(tail[0]) <= 0xF4;
    return !step.valid && lead && step.length == back ? back : 0;
  }
  return 0;
}

Repaired repair_utf8(std::string_view text) {
  Repaired repaired;
  repaired.text.reserve(text.size());
  while (!text.empty()) {
    const size_t valid = valid_utf8_prefix(text);
    repaired.text.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    repaired.text.append(kReplacementUtf8);
    ++repaired.replacements;
    text.remove_prefix(decode_utf8(text).length);
  }
  return repaired;
}

std::string normalize(std::string_view text, NormalForm form) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<int8_t>(c) >= 0; });
  if (ascii) return std::string(text);
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::nfc || form == NormalForm::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::nfkc || form == NormalForm::nfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* mapped = nullptr;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t size = utf8proc_map(bytes, static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                             static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (size < 0) throw InternalError(std::string("normalising text failed: ") + utf8proc_errmsg(size));
  return std::string(reinterpret_cast<const char*>(mapped), static_cast<size_t>(size));
}

bool is_normalization_boundary(char32_t cp) {
  if (cp < 0x300) return true;
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(cp));
  if (property->combining_class != 0) return false;
  // Hangul vowels and trailing consonants compose by rule; halfwidth forms stand for such characters in NFKC.
  if ((cp >= 0x1161 && cp <= 0x1175) || (cp >= 0x11A8 && cp <= 0x11C2)) return false;
  if (cp >= 0xFF9E && cp <= 0xFFDC) return false;
  return !(classes_of(cp) & kMark);
}

void append_lowercase(std::string& out, char32_t cp) {
  if (cp == 0x130) {
    out.append("i\xCC\x87");
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(cp))));
  }
}

}  // namespace quern::text
