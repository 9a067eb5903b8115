#include "text/jinja/python_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace quern::text::jinja {

namespace {

constexpr size_t kMissing = std::string_view::npos;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The last character of non-empty text.
Decoded last_decoded(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && continues(text[at])) --at;
  return decode_utf8(text.substr(at));
}

template <class Drop>
std::string_view strip_left_if(std::string_view text, Drop drop) {
  while (!text.empty()) {
    const Decoded c = decode_utf8(text);
    if (!drop(c.code_point)) break;
    text.remove_prefix(c.length);
  }
  return text;
}

template <class Drop>
std::string_view strip_right_if(std::string_view text, Drop drop) {
  while (!text.empty()) {
    const Decoded c = last_decoded(text);
    if (!drop(c.code_point)) break;
    text.remove_suffix(c.length);
  }
  return text;
}

std::u32string characters_of(std::string_view text) {
  std::u32string characters;
  for_each_character(text, [&](std::string_view c) { characters += decode_utf8(c).code_point; });
  return characters;
}

bool ends_line(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

// Digits beside Nd (Numeric_Type=Digit): superscripts, circled digits and the like.
bool is_other_digit(char32_t c) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 22> kRanges = {{
      {0xB2, 0xB3},       {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},   {0x2070, 0x2070},
      {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},   {0x2474, 0x247C},   {0x2488, 0x2490},
      {0x24EA, 0x24EA},   {0x24F5, 0x24FD},   {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},
      {0x278A, 0x2792},   {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A},
      {0x1F10B, 0x1F10C}, {0x104A0, 0x104A0},
  }};
  return std::ranges::any_of(kRanges, [&](const auto& r) { return c >= r.first && c <= r.second; });
}
bool is_python_digit(char32_t c) { return category_of(c) == Category::Nd || is_other_digit(c); }
bool is_printable(char32_t c) {
  if (c == ' ') return true;
  const Category category = category_of(c);
  return category != Category::Cn && category < Category::Zs;
}

enum class Case { none, lower, upper, title };
Case case_of(char32_t c) {
  switch (category_of(c)) {
    case Category::Lu:
      return Case::upper;
    case Category::Ll:
      return Case::lower;
    case Category::Lt:
      return Case::title;
    default:
      return Case::none;
  }
}

// Some character is cased, and none of another case than `wanted`.
bool all_in_case(const std::u32string& characters, Case wanted) {
  bool any = false;
  for (const char32_t c : characters) {
    const Case found = case_of(c);
    if (found != Case::none && found != wanted) return false;
    any = any || found == wanted;
  }
  return any;
}

bool is_title(const std::u32string& characters) {
  bool any = false, after_cased = false;
  for (const char32_t c : characters) {
    const Case found = case_of(c);
    if (found == Case::none) {
      after_cased = false;
      continue;
    }
    if ((found == Case::lower) != after_cased) return false;
    after_cased = any = true;
  }
  return any;
}

bool is_identifier(const std::u32string& characters) {
  const auto starts = [](char32_t c) { return c == '_' || (classes_of(c) & kLetter) != 0; };
  const auto goes_on = [](char32_t c) { return (classes_of(c) & kWord) != 0; };
  return starts(characters[0]) && std::ranges::all_of(characters, goes_on);
}

}  // namespace

int64_t count_characters(std::string_view text) {
  return static_cast<int64_t>(text.size()) - std::ranges::count_if(text, continues);
}

size_t offset_of_character(std::string_view text, int64_t index) {
  size_t at = 0;
  while (index > 0 && at < text.size()) {
    ++at;
    while (at < text.size() && continues(text[at])) ++at;
    --index;
  }
  return at;
}

bool is_python_space(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }

std::string_view strip_left(std::string_view text) { return strip_left_if(text, is_python_space); }
std::string_view strip_right(std::string_view text) { return strip_right_if(text, is_python_space); }
std::string_view strip_left(std::string_view text, std::string_view set) {
  const std::u32string drop = characters_of(set);
  return strip_left_if(text, [&](char32_t c) { return drop.find(c) != drop.npos; });
}
std::string_view strip_right(std::string_view text, std::string_view set) {
  const std::u32string drop = characters_of(set);
  return strip_right_if(text, [&](char32_t c) { return drop.find(c) != drop.npos; });
}

size_t find_text(std::string_view text, std::string_view needle, size_t from) {
  if (from > text.size()) return kMissing;
  if (needle.empty()) return from;
  const std::string_view rest = text.substr(from);
  const void* const found = memmem(rest.data(), rest.size(), needle.data(), needle.size());
  return found == nullptr ? kMissing : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

size_t find_last_text(std::string_view text, std::string_view needle) {
  const std::string backwards(text.rbegin(), text.rend());
  const std::string needle_backwards(needle.rbegin(), needle.rend());
  const size_t found = find_text(backwards, needle_backwards);
  return found == kMissing ? kMissing : text.size() - found - needle.size();
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, int64_t limit) {
  std::vector<std::string_view> pieces;
  while (limit != 0) {
    const size_t end = find_text(text, separator);
    if (end == kMissing) break;
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end + separator.size());
    --limit;
  }
  pieces.push_back(text);
  return pieces;
}

std::vector<std::string_view> split_at_from_right(std::string_view text, std::string_view separator,
                                                  int64_t limit) {
  const std::string backwards(text.rbegin(), text.rend());
  const std::string separator_backwards(separator.rbegin(), separator.rend());
  std::vector<std::string_view> pieces;
  size_t end = text.size();
  for (const std::string_view piece : split_at(backwards, separator_backwards, limit)) {
    pieces.push_back(text.substr(end - piece.size(), piece.size()));
    end -= std::min(end, piece.size() + separator.size());
  }
  std::ranges::reverse(pieces);
  return pieces;
}

std::vector<std::string_view> split_words(std::string_view text, int64_t limit) {
  std::vector<std::string_view> words;
  text = strip_left(text);
  while (!text.empty()) {
    if (limit-- == 0) {
      words.push_back(text);
      break;
    }
    const std::string_view rest = strip_left_if(text, [](char32_t c) { return !is_python_space(c); });
    words.push_back(text.substr(0, text.size() - rest.size()));
    text = strip_left(rest);
  }
  return words;
}

std::vector<std::string_view> split_words_from_right(std::string_view text, int64_t limit) {
  std::vector<std::string_view> words;
  text = strip_right(text);
  while (!text.empty()) {
    if (limit-- == 0) {
      words.push_back(text);
      break;
    }
    const std::string_view rest = strip_right_if(text, [](char32_t c) { return !is_python_space(c); });
    words.push_back(text.substr(rest.size()));
    text = strip_right(rest);
  }
  std::ranges::reverse(words);
  return words;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t at = 0; at < text.size();) {
    const Decoded c = decode_utf8(text.substr(at));
    size_t next = at + c.length;
    if (ends_line(c.code_point)) {
      if (c.code_point == '\r' && next < text.size() && text[next] == '\n') ++next;
      lines.push_back(text.substr(start, (keep_ends ? next : at) - start));
      start = next;
    }
    at = next;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::optional<bool> classify(std::string_view text, std::string_view method) {
  const std::u32string characters = characters_of(text);
  const auto all = [&](bool if_empty, auto test) {
    return characters.empty() ? if_empty : std::ranges::all_of(characters, test);
  };
  const auto is_alpha = [](char32_t c) { return (classes_of(c) & kLetter) != 0; };
  const auto is_numeric = [](char32_t c) { return (classes_of(c) & kNumber) != 0; };
  if (method == "isascii") return all(true, [](char32_t c) { return c < 0x80; });
  if (method == "isalpha") return all(false, is_alpha);
  if (method == "isalnum") return all(false, [&](char32_t c) { return is_alpha(c) || is_numeric(c); });
  if (method == "isdecimal") return all(false, [](char32_t c) { return category_of(c) == Category::Nd; });
  if (method == "isdigit") return all(false, is_python_digit);
  if (method == "isnumeric") return all(false, is_numeric);
  if (method == "isspace") return all(false, is_python_space);
  if (method == "isprintable") return all(true, is_printable);
  if (method == "islower") return all_in_case(characters, Case::lower);
  if (method == "isupper") return all_in_case(characters, Case::upper);
  if (method == "istitle") return is_title(characters);
  if (method == "isidentifier") return !characters.empty() && is_identifier(characters);
  return std::nullopt;
}

std::string quoted_text(std::string_view text) {
  const char quote = text.find('\'') != kMissing && text.find('"') == kMissing ? '"' : '\'';
  std::string out(1, quote);
  for_each_character(text, [&](std::string_view bytes) {
    const char32_t c = decode_utf8(bytes).code_point;
    const auto number = static_cast<uint32_t>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out += '\\';
      out += bytes;
    } else if (is_printable(c)) {
      out += bytes;
    } else {
      out += c < 0x100     ? fmt::format("\\x{:02x}", number)
             : c < 0x10000 ? fmt::format("\\u{:04x}", number)
                           : fmt::format("\\U{:08x}", number);
    }
  });
  return out + quote;
}

}  // namespace quern::text::jinja
