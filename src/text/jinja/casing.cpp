// Case mappings of Python's str.
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "text/jinja/python_text.h"

namespace quern::text::jinja {

namespace {

struct Expansion {
  char32_t character;
  std::string_view upper;
  std::string_view title;
};
constexpr Expansion kExpansions[] = {
#include "text/jinja/casing.inc"
};

constexpr char32_t kSigma = 0x3A3;
constexpr std::string_view kFinalSigma = "\u03C2";

const Expansion* expansion_of(char32_t c) {
  const auto* found = std::ranges::lower_bound(kExpansions, c, {}, &Expansion::character);
  return found != std::end(kExpansions) && found->character == c ? found : nullptr;
}

bool is_cased(char32_t c) { return (classes_of(c) & (kUpper | kLower)) != 0; }
bool is_case_ignorable(char32_t c) {
  if (c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2019) return true;
  const Category category = category_of(c);
  return category == Category::Mn || category == Category::Me || category == Category::Cf ||
         category == Category::Lm || category == Category::Sk;
}

// Whether the nearest character of `text` that is not ignorable is a cased letter; from the end, or the start.
bool touches_cased(std::string_view text, bool from_end) {
  while (!text.empty()) {
    size_t at = 0;
    if (from_end) {
      at = text.size() - 1;
      while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    }
    const Decoded next = decode_utf8(text.substr(at));
    if (!is_case_ignorable(next.code_point)) return is_cased(next.code_point);
    text = from_end ? text.substr(0, at) : text.substr(next.length);
  }
  return false;
}

void append_lower(std::string& out, std::string_view text, size_t at, const Decoded& c) {
  const bool final_sigma = c.code_point == kSigma && touches_cased(text.substr(0, at), true) &&
                           !touches_cased(text.substr(at + c.length), false);
  if (final_sigma) {
    out += kFinalSigma;
  } else {
    append_lowercase(out, c.code_point);
  }
}

void append_upper(std::string& out, char32_t c) {
  if (const Expansion* found = expansion_of(c)) {
    out += found->upper;
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
  }
}

void append_title(std::string& out, char32_t c) {
  const Expansion* const found = expansion_of(c);
  if (found != nullptr && !found->title.empty()) {
    out += found->title;
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  }
}

// Calls map(out, offset, character) for every character.
template <class Map>
std::string map_characters(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Decoded c = decode_utf8(text.substr(at));
    map(out, at, c);
    at += c.length;
  }
  return out;
}

}  // namespace

std::string to_lower(std::string_view text) {
  return map_characters(
      text, [&](std::string& out, size_t at, const Decoded& c) { append_lower(out, text, at, c); });
}

std::string to_upper(std::string_view text) {
  return map_characters(text,
                        [](std::string& out, size_t, const Decoded& c) { append_upper(out, c.code_point); });
}

std::string to_casefold(std::string_view text) {
  utf8proc_uint8_t* folded = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &folded, UTF8PROC_CASEFOLD);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(folded, &std::free);
  return size < 0 ? std::string(text)
                  : std::string(reinterpret_cast<const char*>(folded), static_cast<size_t>(size));
}

std::string capitalize(std::string_view text) {
  return map_characters(text, [&](std::string& out, size_t at, const Decoded& c) {
    if (at == 0) {
      append_title(out, c.code_point);
    } else {
      append_lower(out, text, at, c);
    }
  });
}

std::string title_case(std::string_view text) {
  bool in_word = false;
  return map_characters(text, [&](std::string& out, size_t at, const Decoded& c) {
    if (in_word) {
      append_lower(out, text, at, c);
    } else {
      append_title(out, c.code_point);
    }
    in_word = is_cased(c.code_point);
  });
}

std::string swap_case(std::string_view text) {
  return map_characters(text, [&](std::string& out, size_t at, const Decoded& c) {
    const Category category = category_of(c.code_point);
    if (category == Category::Lu) {
      append_lower(out, text, at, c);
    } else if (category == Category::Ll) {
      append_upper(out, c.code_point);
    } else {
      append_utf8(out, c.code_point);
    }
  });
}

}  // namespace quern::text::jinja
