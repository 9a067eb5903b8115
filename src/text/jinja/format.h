// Formatting of values into text: the % operator, str.format() and the specs both share.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/builtin.h"

namespace quern::text::jinja {

// "%s is %05.2f" % values: a tuple for several, a dict for %(name)s.
Value format_percent(Heap& heap, const Value& pattern, const Value& values);
// "{} {name.attr[0]!r:>10}".format(arguments)
Value format_braces(Heap& heap, const Value& pattern, const Arguments& arguments);

// How one value is laid out: [[fill]align][sign][#][0][width][,][.precision][type].
struct FormatSpec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';    // + - or space
  bool alternate = false;
  int64_t width = 0;
  char grouping = '\0';    // , or _
  int64_t precision = -1;  // -1: not given
  char type = '\0';
};
// Throws Failure for a value the type does not fit, or a spec Python refuses.
void append_formatted(TextBuilder& out, Heap& heap, const Value& value, const FormatSpec& spec);

}  // namespace quern::text::jinja
