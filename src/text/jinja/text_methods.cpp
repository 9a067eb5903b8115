// Methods of str.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/attributes.h"
#include "text/jinja/failure.h"
#include "text/jinja/format.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/markup.h"
#include "text/jinja/methods.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

constexpr size_t kAbsent = std::string_view::npos;

// What a method makes of `self` is markup when `self` is.
Value like(Interpreter& interpreter, const Value& self, std::string_view text) {
  return make_text(interpreter.heap(), text, self.is_markup());
}

Value pieces(Interpreter& interpreter, const Value& self, const std::vector<std::string_view>& parts,
             List::Form form = List::Form::list) {
  Values items;
  for (const std::string_view part : parts) items.push_back(like(interpreter, self, part));
  return make_list(&interpreter.heap(), std::move(items), form);
}

template <std::string (*map)(std::string_view)>
Value mapped_method(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("a method of str", arguments, {});
  interpreter.heap().spend_on_text(self.text().size() * 16);
  return like(interpreter, self, map(self.text()));
}

enum class Side { left, right, both };
template <Side side>
Value stripped(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("strip", arguments, {"chars"});
  std::string_view text = self.text();
  const bool spaces = bound[0].is_none();
  const std::string_view set = spaces ? std::string_view() : bound.text(0);
  interpreter.heap().spend(text.size() * set.size() >> 8);
  if (side != Side::right) text = spaces ? strip_left(text) : strip_left(text, set);
  if (side != Side::left) text = spaces ? strip_right(text) : strip_right(text, set);
  return like(interpreter, self, text);
}

template <bool from_right>
Value split(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const std::string_view text = self.text();
  const int64_t limit = bound.integer(1, -1);
  interpreter.heap().spend(1 + text.size() / 16);
  const Charge ahead(&interpreter.heap(), text.size());
  if (bound[0].is_none()) {
    return pieces(interpreter, self,
                  from_right ? split_words_from_right(text, limit) : split_words(text, limit));
  }
  const std::string_view separator = bound.text(0);
  if (separator.empty()) fail("empty separator");
  return pieces(interpreter, self,
                from_right ? split_at_from_right(text, separator, limit) : split_at(text, separator, limit));
}

Value split_lines_method(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("splitlines", arguments, {"keepends"});
  interpreter.heap().spend(1 + self.text().size() / 16);
  return pieces(interpreter, self, split_lines(self.text(), bound.flag(0)));
}

template <bool from_right>
Value partition(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("partition", arguments, {"sep"}, 1);
  const std::string_view text = self.text(), separator = bound.text(0);
  if (separator.empty()) fail("empty separator");
  interpreter.heap().spend_on_text(text.size());
  const size_t found = from_right ? find_last_text(text, separator) : find_text(text, separator);
  if (found == kAbsent) {
    const std::vector<std::string_view> parts = from_right ? std::vector<std::string_view>{"", "", text}
                                                           : std::vector<std::string_view>{text, "", ""};
    return pieces(interpreter, self, parts, List::Form::tuple);
  }
  return pieces(interpreter, self, {text.substr(0, found), separator, text.substr(found + separator.size())},
                List::Form::tuple);
}

// The part of `self` that the arguments start and end leave, and how many characters stand before it.
struct Window {
  std::string_view text;
  int64_t skipped = 0;
  bool valid = true;  // false when it begins past the end
};
Window window(Interpreter& interpreter, const Value& self, const Value& start, const Value& end) {
  const std::string_view text = self.text();
  interpreter.heap().spend_on_text(text.size());
  if (start.is_none() && end.is_none()) return {text};
  const int64_t length = count_characters(text);
  const SlicePlaces places = slice_places(length, start, end, Value());
  const size_t begin = offset_of_character(text, places.start);
  const std::string_view rest = text.substr(begin);
  const bool valid = start.is_none() || start.integer() <= length;
  return {rest.substr(0, offset_of_character(rest, places.count)), places.start, valid};
}

// The index of the needle in characters; -1 when there is none.
template <bool last>
int64_t position(Interpreter& interpreter, const Value& self, const Bound& bound) {
  const Window part = window(interpreter, self, bound[1], bound[2]);
  const std::string_view needle = bound.text(0);
  interpreter.heap().spend_on_text(needle.size());
  if (!part.valid) return -1;
  const size_t found = last ? find_last_text(part.text, needle) : find_text(part.text, needle);
  return found == kAbsent ? -1 : part.skipped + count_characters(part.text.substr(0, found));
}

template <bool last>
Value find(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  return position<last>(interpreter, self, Bound("find", arguments, {"sub", "start", "end"}, 1));
}

template <bool last>
Value index(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const int64_t found =
      position<last>(interpreter, self, Bound("index", arguments, {"sub", "start", "end"}, 1));
  if (found < 0) fail("substring not found");
  return found;
}

Value count_method(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("count", arguments, {"sub", "start", "end"}, 1);
  const Window part = window(interpreter, self, bound[1], bound[2]);
  const std::string_view needle = bound.text(0);
  if (!part.valid) return 0;
  if (needle.empty()) return count_characters(part.text) + 1;
  int64_t found = 0;
  for (size_t at = find_text(part.text, needle); at != kAbsent;
       at = find_text(part.text, needle, at + needle.size())) {
    interpreter.heap().spend(1 + needle.size() / 64);
    ++found;
  }
  return found;
}

template <bool at_end>
Value has_affix(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound(at_end ? "endswith" : "startswith", arguments, {"prefix", "start", "end"}, 1);
  const Window part = window(interpreter, self, bound[1], bound[2]);
  const auto matches = [&](const Value& affix) {
    require_defined(affix);
    if (!affix.is_text()) {
      fail(fmt::format("{} first arg must be str or a tuple of str, not {}",
                       at_end ? "endswith" : "startswith", type_name(affix)));
    }
    return part.valid && (at_end ? part.text.ends_with(affix.text()) : part.text.starts_with(affix.text()));
  };
  if (bound[0].is_form(List::Form::tuple)) return std::ranges::any_of(bound[0].list().items, matches);
  return matches(bound[0]);
}

template <bool at_end>
Value remove_affix(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound(at_end ? "removesuffix" : "removeprefix", arguments, {"affix"}, 1);
  const std::string_view text = self.text(), affix = bound.text(0);
  if (at_end)
    return like(interpreter, self, text.substr(0, text.size() - (text.ends_with(affix) ? affix.size() : 0)));
  return like(interpreter, self, text.substr(text.starts_with(affix) ? affix.size() : 0));
}

Value replace_method(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  bound.text(1);
  const Value replacement = self.is_markup() ? to_markup(interpreter.heap(), bound[1]) : bound[1];
  return replace_text(interpreter.heap(), self, bound.text(0), replacement.text(), bound.integer(2, -1));
}

Value join_method(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("join", arguments, {"iterable"}, 1);
  const auto items = sequence_of(interpreter.heap(), bound[0]);
  TextBuilder out(interpreter.heap());
  for (size_t i = 0; i < items->items.size(); ++i) {
    const Value& item = items->items[i];
    if (!item.is_text()) {
      fail(fmt::format("sequence item {}: expected str instance, {} found", i, type_name(item)));
    }
    if (i > 0) out += self.text();
    out += self.is_markup() ? std::string_view(to_markup(interpreter.heap(), item).text())
                            : std::string_view(item.text());
  }
  return std::move(out).finish(self.is_markup());
}

template <char align>
Value justified(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("justify", arguments, {"width", "fillchar"}, 1);
  if (count_characters(bound.text(1, " ")) != 1)
    fail("The fill character must be exactly one character long");
  const int64_t missing = std::max<int64_t>(bound.integer(0) - count_characters(self.text()), 0);
  // Python puts the odd one of a centred text to the left when the width is odd.
  const int64_t before = align == '>'   ? missing
                         : align == '<' ? 0
                                        : missing / 2 + (missing & bound.integer(0) & 1);
  TextBuilder out(interpreter.heap());
  out.append_repeated(bound.text(1, " "), static_cast<uint64_t>(before));
  out += self.text();
  out.append_repeated(bound.text(1, " "), static_cast<uint64_t>(missing - before));
  return std::move(out).finish(self.is_markup());
}

Value zero_fill(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("zfill", arguments, {"width"}, 1);
  const std::string_view text = self.text();
  const size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  TextBuilder out(interpreter.heap());
  out += text.substr(0, sign);
  out.append_repeated("0",
                      static_cast<uint64_t>(std::max<int64_t>(bound.integer(0) - count_characters(text), 0)));
  out += text.substr(sign);
  return std::move(out).finish(self.is_markup());
}

Value expand_tabs(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("expandtabs", arguments, {"tabsize"});
  const int64_t size = std::max<int64_t>(bound.integer(0, 8), 0);
  interpreter.heap().spend(self.text().size() / 16);
  TextBuilder out(interpreter.heap());
  int64_t column = 0;
  for_each_character(self.text(), [&](std::string_view c) {
    if (c == "\t") {
      const int64_t spaces = size == 0 ? 0 : size - column % size;
      out.append_repeated(" ", static_cast<uint64_t>(spaces));
      column += spaces;
    } else {
      out += c;
      column = c == "\n" || c == "\r" ? 0 : column + 1;
    }
  });
  return std::move(out).finish(self.is_markup());
}

Value format_method(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  return format_braces(interpreter.heap(), self, arguments);
}

Value format_map(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound("format_map", arguments, {"mapping"}, 1);
  if (!bound[0].is_dict()) fail("format_map() expects a mapping");
  Arguments fields;
  for (const auto& [name, value] : bound[0].dict().entries) {
    if (name.is_text()) fields.named.emplace_back(name.text(), value);
  }
  return format_braces(interpreter.heap(), self, fields);
}

// isdigit() and its kin; the name is that of the method.
template <size_t length>
struct MethodName {
  constexpr MethodName(const char (&text)[length]) { std::copy_n(text, length, characters); }
  char characters[length];
};
template <MethodName name>
Value classified(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const Bound bound(name.characters, arguments, {});
  const Charge ahead(&interpreter.heap(), self.text().size() * sizeof(char32_t));
  interpreter.heap().spend_on_text(self.text().size() * 16);
  return *classify(self.text(), name.characters);
}

Value unsupported(Interpreter&, const Value&, const Arguments&) {
  fail("encode(), maketrans() and translate() of str are not supported", ErrorCode::unsupported);
}

constexpr Builtin kTextMethods[] = {
    {"strip", stripped<Side::both>},
    {"lstrip", stripped<Side::left>},
    {"rstrip", stripped<Side::right>},
    {"split", split<false>},
    {"rsplit", split<true>},
    {"splitlines", split_lines_method},
    {"startswith", has_affix<false>},
    {"endswith", has_affix<true>},
    {"replace", replace_method},
    {"join", join_method},
    {"lower", mapped_method<to_lower>},
    {"upper", mapped_method<to_upper>},
    {"title", mapped_method<title_case>},
    {"capitalize", mapped_method<capitalize>},
    {"casefold", mapped_method<to_casefold>},
    {"swapcase", mapped_method<swap_case>},
    {"find", find<false>},
    {"rfind", find<true>},
    {"index", index<false>},
    {"rindex", index<true>},
    {"count", count_method},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"ljust", justified<'<'>},
    {"rjust", justified<'>'>},
    {"center", justified<'^'>},
    {"zfill", zero_fill},
    {"expandtabs", expand_tabs},
    {"format", format_method},
    {"format_map", format_map},
    {"isalnum", classified<"isalnum">},
    {"isalpha", classified<"isalpha">},
    {"isascii", classified<"isascii">},
    {"isdecimal", classified<"isdecimal">},
    {"isdigit", classified<"isdigit">},
    {"isidentifier", classified<"isidentifier">},
    {"islower", classified<"islower">},
    {"isnumeric", classified<"isnumeric">},
    {"isprintable", classified<"isprintable">},
    {"isspace", classified<"isspace">},
    {"istitle", classified<"istitle">},
    {"isupper", classified<"isupper">},
    {"encode", unsupported},
    {"maketrans", unsupported},
    {"translate", unsupported},
};

}  // namespace

Value replace_text(Heap& heap, const Value& self, std::string_view old, std::string_view replacement,
                   int64_t limit) {
  std::string_view rest = self.text();
  heap.spend_on_text(rest.size());
  TextBuilder out(heap);
  for (; limit != 0; --limit) {
    heap.spend(1 + old.size() / 64);
    const size_t found = find_text(rest, old);
    if (found == kAbsent) break;
    out += rest.substr(0, found);
    out += replacement;
    rest.remove_prefix(found + old.size());
    if (old.empty()) {
      if (rest.empty()) break;
      const size_t character = decode_utf8(rest).length;
      out += rest.substr(0, character);
      rest.remove_prefix(character);
    }
  }
  out += rest;
  return std::move(out).finish(self.is_markup());
}

Builtins text_methods() { return kTextMethods; }

}  // namespace quern::text::jinja
