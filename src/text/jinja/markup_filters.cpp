// Filters for HTML.
#include <fmt/format.h>

#include "text/jinja/failure.h"
#include "text/jinja/filters.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/markup.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

Value escape_filter(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("escape", arguments, {});
  return to_markup(interpreter.heap(), subject);
}

Value force_escape(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("forceescape", arguments, {});
  return make_text(&interpreter.heap(), escape(to_string(interpreter.heap(), subject)), true);
}

Value safe(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("safe", arguments, {});
  return make_text(&interpreter.heap(), to_string(interpreter.heap(), subject), true);
}

Value strip_tags_filter(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("striptags", arguments, {});
  if (subject.is_text()) interpreter.heap().spend(subject.text().size() / 16);
  return make_text(&interpreter.heap(), strip_tags(to_string(interpreter.heap(), subject)));
}

Value xml_attributes(Interpreter& interpreter, const Value& subject, const Arguments& arguments) {
  const Bound bound("xmlattr", arguments, {"autospace"});
  Heap& heap = interpreter.heap();
  require_defined(subject);
  if (!subject.is_dict()) fail(fmt::format("xmlattr expects a mapping, got '{}'", type_name(subject)));
  TextBuilder out(heap);
  for (const auto& [key, value] : subject.dict().entries) {
    if (value.is_none() || value.is_undefined()) continue;
    if (!key.is_text()) fail("xmlattr expects names that are strings");
    if (key.text().find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      fail(fmt::format("invalid character in attribute name: {}", brief_quoted(key.text())));
    }
    if (bound.flag(0, true) || !out.text().empty()) out += " ";
    out += to_markup(heap, key).text();
    out += "=\"";
    out += to_markup(heap, value).text();
    out += "\"";
  }
  return std::move(out).finish();
}

constexpr Builtin kMarkupFilters[] = {
    {"escape", escape_filter},        {"e", escape_filter},
    {"forceescape", force_escape},    {"safe", safe},
    {"striptags", strip_tags_filter}, {"xmlattr", xml_attributes},
};

}  // namespace

Builtins markup_filters() { return kMarkupFilters; }

}  // namespace quern::text::jinja
