// Filters that give text.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/attributes.h"
#include "text/jinja/failure.h"
#include "text/jinja/filters.h"
#include "text/jinja/format.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/markup.h"
#include "text/jinja/methods.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

// str(), but text stays as it is: markup too.
Value soft_text(Heap& heap, const Value& value) { return value.is_text() ? value : to_text(heap, value); }

template <std::string (*map)(std::string_view)>
Value mapped(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("a filter of text", arguments, {});
  const Value text = soft_text(interpreter.heap(), subject);
  interpreter.heap().spend_on_text(text.text().size() * 16);
  return make_text(interpreter.heap(), map(text.text()), text.is_markup());
}

// Every word begins in upper case: words end at whitespace and at -({[<.
std::string title_words(std::string_view text) {
  std::string out, word;
  const auto flush = [&] {
    const size_t first = word.empty() ? 0 : decode_utf8(word).length;
    out += to_upper(word.substr(0, first)) + to_lower(word.substr(first));
    word.clear();
  };
  for_each_character(text, [&](std::string_view c) {
    if (is_python_space(decode_utf8(c).code_point) ||
        std::string_view("-({[<").find(c) != std::string_view::npos) {
      flush();
      out += c;
    } else {
      word += c;
    }
  });
  flush();
  return out;
}

Value trim(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Value text = soft_text(interpreter.heap(), subject);
  return find_builtin(text_methods(), "strip")->function(interpreter, text, arguments);
}

Value center(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("center", arguments, {"width"});
  const Value text = soft_text(interpreter.heap(), subject);
  return find_builtin(text_methods(), "center")
      ->function(interpreter, text, Arguments{{Value(bound.integer(0, 80))}, {}});
}

Value replace(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  Heap& heap = interpreter.heap();
  const int64_t count = bound[2].is_none() ? -1 : bound.integer(2);
  return replace_text(heap, to_text(heap, subject), to_string(heap, bound[0]), to_string(heap, bound[1]),
                      count);
}

Value join(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  Heap& heap = interpreter.heap();
  const auto items = sequence_of(heap, subject);
  const std::string separator = to_string(heap, bound.has(0) ? bound[0] : make_text(heap, ""));
  const AttributePath path(heap, bound[1]);
  TextBuilder out(heap);
  for (size_t i = 0; i < items->items.size(); ++i) {
    if (i > 0) out += separator;
    out += to_string(heap, path.of(heap, items->items[i]));
  }
  return std::move(out).finish();
}

Value string(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("string", arguments, {});
  return soft_text(interpreter.heap(), subject);
}

Value format(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    fail("can't handle positional and keyword arguments at the same time");
  }
  const Value pattern = soft_text(heap, subject);
  if (arguments.named.empty()) return format_percent(heap, pattern, make_tuple(heap, arguments.positional));
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [name, value] : arguments.named) entries.emplace_back(make_text(heap, name), value);
  return format_percent(heap, pattern, make_dict(&heap, std::move(entries)));
}

Value indent(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  require_defined(subject);
  if (!subject.is_text()) fail(fmt::format("indent expects text, got '{}'", type_name(subject)));
  TextBuilder margin(interpreter.heap());
  if (bound[0].is_text()) {
    margin += bound.text(0);
  } else {
    margin.append_repeated(" ", static_cast<uint64_t>(std::max<int64_t>(bound.integer(0, 4), 0)));
  }
  TextBuilder out(interpreter.heap());
  if (bound.flag(1)) out += margin.text();
  const std::string text = subject.text() + "\n";
  const std::vector<std::string_view> lines = split_lines(text, false);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += "\n";
    if (i > 0 && (bound.flag(2) || !lines[i].empty())) out += margin.text();
    out += lines[i];
  }
  return std::move(out).finish(subject.is_markup());
}

Value truncate(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  require_defined(subject);
  if (!subject.is_text()) fail(fmt::format("truncate expects text, got '{}'", type_name(subject)));
  const int64_t length = bound.integer(0, 255);
  const std::string_view end = bound.text(2, "...");
  const int64_t leeway = bound[3].is_none() ? 5 : bound.integer(3);
  const int64_t kept = length - count_characters(end);
  if (kept < 0) fail(fmt::format("expected length >= {}, got {}", count_characters(end), length));
  if (leeway < 0) fail(fmt::format("expected leeway >= 0, got {}", leeway));
  const std::string_view text = subject.text();
  if (count_characters(text) - leeway <= length) return subject;
  std::string_view result = text.substr(0, offset_of_character(text, kept));
  if (!bound.flag(1)) result = result.substr(0, result.rfind(' '));
  return make_text(interpreter.heap(), std::string(result) + std::string(end), subject.is_markup());
}

Value word_count(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("wordcount", arguments, {});
  const Value text = soft_text(interpreter.heap(), subject);
  interpreter.heap().spend(text.text().size() / 16);
  int64_t words = 0;
  bool in_word = false;
  for_each_character(text.text(), [&](std::string_view bytes) {
    const char32_t c = decode_utf8(bytes).code_point;
    const bool word = c == '_' || (classes_of(c) & (kLetter | kNumber)) != 0;
    words += word && !in_word;
    in_word = word;
  });
  return words;
}

void append_url_quoted(TextBuilder& out, std::string_view text, bool in_query) {
  constexpr std::string_view kSafe = "_.-~";
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || kSafe.find(c) != kSafe.npos || (c == '/' && !in_query)) {
      out += std::string_view(&c, 1);
    } else if (c == ' ' && in_query) {
      out += "+";
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

Value url_encode(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("urlencode", arguments, {});
  Heap& heap = interpreter.heap();
  if (subject.is_text()) heap.spend(subject.text().size() / 16);
  TextBuilder out(heap);
  if (subject.is_text() || !is_iterable(subject)) {
    append_url_quoted(out, to_string(heap, subject), false);
    return std::move(out).finish();
  }
  const Value pairs =
      subject.is_dict() ? find_builtin(dict_methods(), "items")->function(interpreter, subject, {}) : subject;
  const auto items = sequence_of(heap, pairs);
  for (size_t i = 0; i < items->items.size(); ++i) {
    const auto pair = sequence_of(heap, items->items[i]);
    if (pair->items.size() != 2) fail("urlencode expects pairs of a key and a value");
    if (i > 0) out += "&";
    append_url_quoted(out, to_string(heap, pair->items[0]), true);
    out += "=";
    append_url_quoted(out, to_string(heap, pair->items[1]), true);
  }
  return std::move(out).finish();
}

Value tojson(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.flag(0);
  style.sort_keys = bound.flag(3);
  if (bound[1].is_text()) {
    style.indent = bound.text(1);
  } else if (!bound[1].is_none()) {
    constexpr int64_t kWidest = 1000;
    style.indent = std::string(static_cast<size_t>(std::clamp<int64_t>(bound.integer(1), 0, kWidest)), ' ');
  }
  if (style.indent) style.item_separator = ",";
  if (!bound[2].is_none()) {
    const auto separators = sequence_of(interpreter.heap(), bound[2]);
    if (separators->items.size() != 2 || !separators->items[0].is_text() || !separators->items[1].is_text()) {
      fail("tojson(): separators are two strings");
    }
    style.item_separator = separators->items[0].text();
    style.key_separator = separators->items[1].text();
  }
  return to_json(interpreter.heap(), subject, style);
}

constexpr Builtin kTextFilters[] = {
    {"tojson", tojson},
    {"trim", trim},
    {"replace", replace},
    {"join", join},
    {"string", string},
    {"lower", mapped<to_lower>},
    {"upper", mapped<to_upper>},
    {"title", mapped<title_words>},
    {"capitalize", mapped<capitalize>},
    {"indent", indent},
    {"format", format},
    {"center", center},
    {"truncate", truncate},
    {"wordcount", word_count},
    {"urlencode", url_encode},
};

}  // namespace

Builtins text_filters() { return kTextFilters; }

}  // namespace quern::text::jinja
