#include "text/jinja/markup.h"

#include <algorithm>

#include "text/jinja/literal.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"
#include "text/unicode.h"

namespace quern::text::jinja {

namespace {

std::string without_tags(std::string_view text) {
  std::string out;
  size_t at = 0;
  for (size_t tag = text.find('<'); tag != text.npos; tag = text.find('<', at)) {
    const bool comment = text.substr(tag).starts_with("<!--");
    const size_t end = comment ? text.find("-->", tag + 4) : text.find('>', tag);
    if (end == text.npos) break;
    out += text.substr(at, tag - at);
    at = end + (comment ? 3 : 1);
  }
  return out + std::string(text.substr(at));
}

// The character an entity stands for; nothing when it is not known here.
std::string entity(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
      {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", "\u00A0"}};
  if (name.starts_with('#')) {
    const bool hex = name.size() > 1 && (name[1] | 0x20) == 'x';
    const auto code = parse_integer(name.substr(hex ? 2 : 1), hex ? 16 : 10);
    std::string out;
    if (code && *code > 0 && *code <= 0x10FFFF) append_utf8(out, static_cast<char32_t>(*code));
    return out;
  }
  const auto* const found = std::ranges::find(kNamed, name, [](const auto& entry) { return entry.first; });
  return found == std::end(kNamed) ? std::string() : std::string(found->second);
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Value to_markup(Heap& heap, const Value& value) {
  if (value.is_markup()) return value;
  if (value.is_text()) heap.spend(value.text().size() / 16);
  return make_text(&heap, escape(to_string(heap, value)), true);
}

std::string strip_tags(std::string_view text) {
  const std::string plain = without_tags(text);
  std::string collapsed;
  for (const std::string_view word : split_words(plain, -1)) {
    if (!collapsed.empty()) collapsed += ' ';
    collapsed += word;
  }
  std::string out;
  constexpr size_t kLongestName = 10;
  for (size_t at = 0; at < collapsed.size(); ++at) {
    const size_t end = collapsed[at] == '&' ? collapsed.find(';', at) : collapsed.npos;
    if (end != collapsed.npos && end - at <= kLongestName) {
      const std::string character = entity(std::string_view(collapsed).substr(at + 1, end - at - 1));
      if (!character.empty()) {
        out += character;
        at = end;
        continue;
      }
    }
    out += collapsed[at];
  }
  return out;
}

}  // namespace quern::text::jinja
