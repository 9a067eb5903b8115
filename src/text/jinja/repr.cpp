#include "text/jinja/repr.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "text/jinja/failure.h"
#include "text/jinja/python_text.h"

namespace quern::text::jinja {

namespace {

using Kind = Value::Kind;

void append_items(TextBuilder& out, Heap& heap, const Values& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(out, heap, items[i]);
  }
}

void append_list(TextBuilder& out, Heap& heap, const List& list) {
  const bool tuple = list.form == List::Form::tuple;
  const bool view = !tuple && list.form != List::Form::list;
  if (view) {
    out += name_of(list.form);
    out += "(";
  }
  out += tuple ? "(" : "[";
  append_items(out, heap, list.items);
  if (tuple && list.items.size() == 1) out += ",";
  out += tuple ? ")" : "]";
  if (view) out += ")";
}

void append_dict(TextBuilder& out, Heap& heap, const Dict& dict) {
  out += "{";
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(out, heap, dict.entries[i].first);
    out += ": ";
    append_repr(out, heap, dict.entries[i].second);
  }
  out += "}";
}

// What prints the same in str() and repr().
std::string scalar(const Value& value) {
  switch (value.kind()) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return value.boolean() ? "True" : "False";
    case Kind::integer:
      return std::to_string(value.integer());
    default:
      return float_repr(value.number());
  }
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  std::string sign;
  if (text[0] == '-') {
    sign = "-";
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), text.data() + text.size(), exponent);
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    if (count > 1) digits.insert(1, ".");
    return fmt::format("{}{}e{}{:02}", sign, digits, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1)
    return sign + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  return sign + digits.insert(static_cast<size_t>(exponent + 1), ".");
}

void append_repr(TextBuilder& out, Heap& heap, const Value& value) {
  heap.spend();
  switch (value.kind()) {
    case Kind::undefined:
      out += "Undefined";
      return;
    case Kind::text:
      heap.spend(value.text().size() / 16);
      out += value.is_markup() ? fmt::format("Markup({})", quoted_text(value.text()))
                               : quoted_text(value.text());
      return;
    case Kind::list:
      append_list(out, heap, value.list());
      return;
    case Kind::dict:
      append_dict(out, heap, value.dict());
      return;
    case Kind::object:
      out += value.object().repr(heap);
      return;
    default:
      out += scalar(value);
  }
}

std::string to_string(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Kind::undefined:
      return {};
    case Kind::text:
      heap.spend_on_text(value.text().size());
      return value.text();
    case Kind::list:
    case Kind::dict:
    case Kind::object: {
      TextBuilder out(heap);
      append_repr(out, heap, value);
      return out.text();
    }
    default:
      return scalar(value);
  }
}

Value to_text(Heap& heap, const Value& value) {
  if (value.is_text() && !value.is_markup()) return value;
  return make_text(&heap, to_string(heap, value));
}

std::string brief_quoted(std::string_view text) {
  constexpr int64_t kLongest = 60;
  const size_t end = offset_of_character(text, kLongest);
  return end == text.size() ? quoted_text(text) : quoted_text(text.substr(0, end)) + "...";
}

std::string brief_repr(const Value& value) {
  switch (value.kind()) {
    case Kind::text:
      return brief_quoted(value.text());
    case Kind::undefined:
      return "Undefined";
    case Kind::list:
    case Kind::dict:
    case Kind::object:
      return fmt::format("<{}>", type_name(value));
    default:
      return scalar(value);
  }
}

}  // namespace quern::text::jinja
