// Values as text: str() and repr() of Python.
#pragma once

#include <string>

#include "text/jinja/value.h"

namespace quern::text::jinja {

// str(): what printing a value gives. Text comes back as it is, undefined as nothing.
std::string to_string(Heap& heap, const Value& value);
// The same as a value; text is shared, not copied, and loses its markup.
Value to_text(Heap& heap, const Value& value);
// repr(): text in quotes.
void append_repr(TextBuilder& out, Heap& heap, const Value& value);
// repr() cut short, for messages.
std::string brief_repr(const Value& value);
std::string brief_quoted(std::string_view text);
// repr() of a float: the shortest digits that read back as the same number.
std::string float_repr(double value);

}  // namespace quern::text::jinja
