#include "text/jinja/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja/attributes.h"
#include "text/jinja/failure.h"
#include "text/jinja/literal.h"
#include "text/jinja/markup.h"
#include "text/jinja/python_text.h"
#include "text/jinja/repr.h"

namespace quern::text::jinja {

namespace {

using Kind = Value::Kind;

constexpr int64_t kLargestPrecision = 400;  // of a number; a double has no more digits than about 1,100

bool is_one_of(char c, std::string_view set) { return c != '\0' && set.find(c) != set.npos; }

std::string repr_of(Heap& heap, const Value& value) {
  TextBuilder out(heap);
  append_repr(out, heap, value);
  return out.text();
}

// Writes `text` with its fill to the width, in characters.
void append_padded(TextBuilder& out, std::string_view text, const FormatSpec& spec, char otherwise) {
  const int64_t missing = spec.width - count_characters(text);
  const auto padding = static_cast<uint64_t>(std::max<int64_t>(missing, 0));
  const char align = spec.align == '\0' ? otherwise : spec.align;
  const uint64_t before = align == '>' ? padding : align == '^' ? padding / 2 : 0;
  if (align == '=') {  // between the sign and the digits
    const size_t sign = !text.empty() && is_one_of(text[0], "+- ") ? 1 : 0;
    out += text.substr(0, sign);
    out.append_repeated(spec.fill, padding);
    out += text.substr(sign);
    return;
  }
  out.append_repeated(spec.fill, before);
  out += text;
  out.append_repeated(spec.fill, padding - before);
}

std::string with_sign(std::string digits, bool negative, char sign) {
  if (negative) return "-" + digits;
  return is_one_of(sign, "+ ") ? sign + digits : digits;
}

// "1234567.5" as "1,234,567.5".
std::string grouped(const std::string& digits, char separator) {
  size_t whole = 0;
  while (whole < digits.size() && digits[whole] >= '0' && digits[whole] <= '9') ++whole;
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % 3 == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string format_integer(int64_t value, const FormatSpec& spec) {
  const uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string digits, prefix;
  switch (spec.type) {
    case 'x':
      digits = fmt::format("{:x}", magnitude), prefix = "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", magnitude), prefix = "0X";
      break;
    case 'o':
      digits = fmt::format("{:o}", magnitude), prefix = "0o";
      break;
    case 'b':
      digits = fmt::format("{:b}", magnitude), prefix = "0b";
      break;
    default:
      digits = std::to_string(magnitude);
  }
  if (spec.grouping != '\0') digits = grouped(digits, spec.grouping);
  return with_sign((spec.alternate ? prefix : "") + digits, value < 0, spec.sign);
}

std::string format_real(double value, const FormatSpec& spec) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  const double magnitude = std::fabs(value);
  if (spec.precision > kLargestPrecision) fail("a precision of more than 400 digits", ErrorCode::unsupported);
  const char type = spec.type == '%' ? 'f' : spec.type;
  std::string digits;
  if (!std::isfinite(value)) {
    digits = std::isnan(value) ? "nan" : "inf";
    if (is_one_of(type, "EFG")) digits = to_upper(digits);
  } else if (type == '\0' && spec.precision < 0) {
    digits = float_repr(magnitude);
  } else {
    const int precision = static_cast<int>(spec.precision < 0 ? 6 : spec.precision);
    const std::string pattern = std::string(spec.alternate ? "%#.*" : "%.*") + (type == '\0' ? 'g' : type);
    char buffer[kLargestPrecision + 400];
    std::snprintf(buffer, sizeof buffer, pattern.c_str(), precision,
                  spec.type == '%' ? magnitude * 100 : magnitude);
    digits = buffer;
    // Without a type a float keeps at least one digit past the point.
    if (type == '\0' && digits.find_first_of(".en") == digits.npos) digits += ".0";
  }
  if (spec.grouping != '\0') digits = grouped(digits, spec.grouping);
  if (spec.type == '%') digits += '%';
  return with_sign(digits, negative, spec.sign);
}

std::string one_character(const Value& value) {
  std::string out;
  if (value.is_integral()) {
    if (value.integer() < 0 || value.integer() > 0x10FFFF) fail("%c needs a character below 0x110000");
    append_utf8(out, static_cast<char32_t>(value.integer()));
    return out;
  }
  if (!value.is_text() || count_characters(value.text()) != 1) fail("%c needs an integer or one character");
  return value.text();
}

// Scans decimal digits; nullopt when there are none. Throws Failure past what any width can be.
std::optional<int64_t> scan_count(std::string_view& text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits == 0) return std::nullopt;
  const auto value = digits > 12 ? std::nullopt : parse_integer(text.substr(0, digits), 10);
  if (!value) fail("a width or precision that is too large");
  text.remove_prefix(digits);
  return value;
}

// ---- % ----

class PercentFormatter {
 public:
  PercentFormatter(Heap& heap, const Value& pattern, const Value& values)
      : heap_(heap), out_(heap), values_(values), markup_(pattern.is_markup()), rest_(pattern.text()) {}

  Value run() {
    while (!rest_.empty()) {
      const size_t percent = std::min(rest_.find('%'), rest_.size());
      out_ += rest_.substr(0, percent);
      rest_.remove_prefix(percent);
      if (!rest_.empty()) conversion();
    }
    const bool several = values_.is_form(List::Form::tuple);
    const size_t given = several ? values_.list().items.size() : 1;
    if (used_ < given && !values_.is_dict() && (several || !values_.is_form(List::Form::list))) {
      fail("not all arguments converted during string formatting");
    }
    return std::move(out_).finish(markup_);
  }

 private:
  Value next() {
    if (!values_.is_form(List::Form::tuple)) {
      if (used_++ > 0) fail("not enough arguments for format string");
      return values_;
    }
    if (used_ >= values_.list().items.size()) fail("not enough arguments for format string");
    return values_.list().items[used_++];
  }

  char take() {
    if (rest_.empty()) fail("incomplete format");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  // A number, or * for the next value.
  std::optional<int64_t> count() {
    if (!rest_.starts_with('*')) return scan_count(rest_);
    take();
    const Value value = next();
    if (!value.is_integral()) fail("* wants int");
    return value.integer();
  }

  std::optional<Value> named_value() {
    if (!rest_.starts_with('(')) return std::nullopt;
    const size_t end = rest_.find(')');
    if (end == rest_.npos) fail("incomplete format key");
    if (!values_.is_dict()) fail("format requires a mapping");
    const std::string_view name = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    const Value* const found = values_.dict().find(name);
    if (found == nullptr) fail(fmt::format("no value for the key {}", brief_quoted(name)));
    return *found;
  }

  void conversion() {
    heap_.spend();
    take();
    std::optional<Value> named = named_value();
    FormatSpec spec;
    spec.align = '>';
    bool zero = false;
    for (; !rest_.empty() && is_one_of(rest_.front(), "#0- +"); take()) {
      const char flag = rest_.front();
      if (flag == '-') spec.align = '<';
      if (flag == '0') zero = true;
      if (flag == '+' || (flag == ' ' && spec.sign != '+')) spec.sign = flag;
      if (flag == '#') spec.alternate = true;
    }
    spec.width = count().value_or(0);
    if (spec.width < 0) spec.align = '<', spec.width = -std::max(spec.width, -INT64_MAX);
    if (rest_.starts_with('.')) {
      take();
      spec.precision = std::max<int64_t>(count().value_or(0), 0);
    }
    while (!rest_.empty() && is_one_of(rest_.front(), "hlL")) take();
    const char type = take();
    if (type == '%') {
      out_ += "%";
      return;
    }
    const Value value = named ? *std::move(named) : next();
    if (zero && spec.align == '>' && is_one_of(type, "diuxXoeEfFgG")) spec.align = '=', spec.fill = "0";
    convert(value, type, spec);
  }

  void convert(const Value& value, char type, FormatSpec spec) {
    if (is_one_of(type, "sra")) {
      std::string text = type == 's' ? to_string(heap_, value) : repr_of(heap_, value);
      if (markup_ && !value.is_markup()) text = escape(text);
      if (spec.precision >= 0) text.resize(offset_of_character(text, spec.precision));
      append_padded(out_, text, spec, '>');
    } else if (type == 'c') {
      append_padded(out_, one_character(value), spec, '>');
    } else if (is_one_of(type, "diuxXo")) {
      append_padded(out_, integer(value, type, spec), spec, '>');
    } else if (is_one_of(type, "eEfFgG")) {
      require_defined(value);
      if (!value.is_number()) fail(fmt::format("must be real number, not {}", type_name(value)));
      spec.type = type;
      append_padded(out_, format_real(value.number(), spec), spec, '>');
    } else {
      fail(fmt::format("unsupported format character '{}'", type));
    }
  }

  static std::string integer(const Value& value, char type, FormatSpec spec) {
    require_defined(value);
    const bool decimal = is_one_of(type, "diu");
    const bool real = value.kind() == Kind::real && decimal && std::fabs(value.number()) < 9e18;
    if (!value.is_integral() && !real) {
      fail(fmt::format("%{} format: an integer is required, not {}", type, type_name(value)));
    }
    spec.type = decimal ? 'd' : type;
    const int64_t number = real ? static_cast<int64_t>(value.number()) : value.integer();
    const bool negative = number < 0;
    FormatSpec unsigned_spec = spec;
    unsigned_spec.sign = '-';
    std::string digits = format_integer(number, unsigned_spec);
    if (negative) digits.erase(0, 1);
    const size_t prefix = spec.alternate && !decimal ? 2 : 0;
    if (spec.precision > kLargestPrecision)
      fail("a precision of more than 400 digits", ErrorCode::unsupported);
    const auto wanted = static_cast<size_t>(std::max<int64_t>(spec.precision, 0)) + prefix;
    if (digits.size() < wanted) digits.insert(prefix, wanted - digits.size(), '0');
    return with_sign(digits, negative, spec.sign);
  }

  Heap& heap_;
  TextBuilder out_;
  const Value& values_;
  bool markup_;
  std::string_view rest_;
  size_t used_ = 0;
};

// ---- {} ----

FormatSpec parse_spec(std::string_view text) {
  FormatSpec spec;
  const size_t first = text.empty() ? 0 : decode_utf8(text).length;
  if (first < text.size() && is_one_of(text[first], "<>^=")) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    text.remove_prefix(first + 1);
  } else if (!text.empty() && is_one_of(text[0], "<>^=")) {
    spec.align = text[0];
    text.remove_prefix(1);
  }
  const auto take_one_of = [&](std::string_view set) {
    if (text.empty() || !is_one_of(text[0], set)) return '\0';
    const char c = text[0];
    text.remove_prefix(1);
    return c;
  };
  if (const char sign = take_one_of("+- ")) spec.sign = sign;
  spec.alternate = take_one_of("#") != '\0';
  if (take_one_of("0") != '\0' && spec.align == '\0') spec.align = '=', spec.fill = "0";
  spec.width = scan_count(text).value_or(0);
  spec.grouping = take_one_of(",_");
  if (take_one_of(".") != '\0') {
    const auto precision = scan_count(text);
    if (!precision) fail("format specifier missing precision");
    spec.precision = *precision;
  }
  spec.type = take_one_of("bcdeEfFgGnosxX%");
  if (!text.empty()) fail(fmt::format("invalid format specifier {}", brief_quoted(text)));
  return spec;
}

class BraceFormatter {
 public:
  BraceFormatter(Heap& heap, const Arguments& arguments) : heap_(heap), arguments_(arguments) {}

  // `depth` is 1 inside the spec of a field.
  std::string format(std::string_view pattern, int depth) {
    TextBuilder out(heap_);
    while (!pattern.empty()) {
      const size_t brace = std::min(pattern.find_first_of("{}"), pattern.size());
      out += pattern.substr(0, brace);
      pattern.remove_prefix(brace);
      if (pattern.empty()) break;
      const char kind = pattern[0];
      pattern.remove_prefix(1);
      if (pattern.starts_with(kind)) {
        out += pattern.substr(0, 1);
        pattern.remove_prefix(1);
      } else if (kind == '}') {
        fail("single '}' encountered in format string");
      } else {
        const size_t end = field_end(pattern);
        field(out, pattern.substr(0, end), depth);
        pattern.remove_prefix(end + 1);
      }
    }
    return out.text();
  }

 private:
  static size_t field_end(std::string_view text) {
    int open = 1;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '{') ++open;
      if (text[i] == '}' && --open == 0) return i;
    }
    fail("expected '}' before end of string");
  }

  void field(TextBuilder& out, std::string_view text, int depth) {
    heap_.spend(1 + arguments_.named.size() / 16);
    if (depth > 1) fail("format fields nested too deeply");
    const size_t name_end = std::min(text.find_first_of("!:"), text.size());
    Value value = lookup(text.substr(0, name_end));
    text.remove_prefix(name_end);
    if (text.starts_with('!')) {
      if (text.size() < 2 || !is_one_of(text[1], "sra")) fail("unknown conversion in a format field");
      value = make_text(&heap_, text[1] == 's' ? to_string(heap_, value) : repr_of(heap_, value));
      text.remove_prefix(2);
      if (!text.empty() && text[0] != ':') fail("expected ':' after conversion specifier");
    }
    const std::string spec = text.empty() ? "" : format(text.substr(1), depth + 1);
    append_formatted(out, heap_, value, parse_spec(spec));
  }

  Value lookup(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, end));
    name.remove_prefix(end);
    while (!name.empty()) {
      const bool attribute = name[0] == '.';
      const size_t stop = attribute ? std::min(name.find_first_of(".[", 1), name.size()) : name.find(']');
      if (stop == name.npos || (!attribute && name[0] != '[') || stop < 2)
        fail("broken name in a format field");
      const std::string_view part = name.substr(1, stop - 1);
      const auto index = attribute ? std::nullopt : parse_integer(part, 10);
      value = attribute ? get_attribute(heap_, value, part)
                        : get_item(heap_, value, index ? Value(*index) : make_text(heap_, part));
      name.remove_prefix(attribute ? stop : stop + 1);
    }
    return value;
  }

  Value argument(std::string_view name) {
    const bool automatic = name.empty();
    const auto index = automatic ? std::optional<int64_t>(next_++) : parse_integer(name, 10);
    if (index) {
      if (numbered_ && *numbered_ == automatic) fail("cannot mix automatic and manual numbering of fields");
      numbered_ = !automatic;
      if (*index < 0 || *index >= std::ssize(arguments_.positional)) fail("format field out of range");
      return arguments_.positional[static_cast<size_t>(*index)];
    }
    const auto found = std::ranges::find(arguments_.named, name,
                                         [](const auto& entry) { return std::string_view(entry.first); });
    if (found == arguments_.named.end()) fail(fmt::format("no value for the field {}", brief_quoted(name)));
    return found->second;
  }

  Heap& heap_;
  const Arguments& arguments_;
  int64_t next_ = 0;
  std::optional<bool> numbered_;
};

}  // namespace

void append_formatted(TextBuilder& out, Heap& heap, const Value& value, const FormatSpec& spec) {
  const bool plain_bool = value.kind() == Kind::boolean && (spec.type == '\0' || spec.type == 's');
  if (value.kind() == Kind::real || (value.is_integral() && is_one_of(spec.type, "eEfFgG%"))) {
    if (spec.type != '\0' && !is_one_of(spec.type, "eEfFgGn%")) fail("unknown format code for a float");
    FormatSpec real = spec;
    if (spec.type == 'n') real.type = 'g';
    append_padded(out, format_real(value.number(), real), spec, '>');
  } else if (value.is_integral() && !plain_bool) {
    if (spec.precision >= 0) fail("precision not allowed in integer format specifier");
    if (spec.type == 's') fail("unknown format code 's' for an integer");
    append_padded(out, spec.type == 'c' ? one_character(value) : format_integer(value.integer(), spec), spec,
                  '>');
  } else {
    if ((spec.type != '\0' && spec.type != 's') || spec.align == '=' || spec.grouping != '\0') {
      fail(fmt::format("this format specifier does not fit a value of type '{}'", type_name(value)));
    }
    std::string text = to_string(heap, value);
    if (spec.precision >= 0) text.resize(offset_of_character(text, spec.precision));
    append_padded(out, text, spec, '<');
  }
}

Value format_percent(Heap& heap, const Value& pattern, const Value& values) {
  return PercentFormatter(heap, pattern, values).run();
}

Value format_braces(Heap& heap, const Value& pattern, const Arguments& arguments) {
  return make_text(&heap, BraceFormatter(heap, arguments).format(pattern.text(), 0), pattern.is_markup());
}

}  // namespace quern::text::jinja
