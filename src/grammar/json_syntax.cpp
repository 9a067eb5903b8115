#include "grammar/json_syntax.h"

#include <fmt/format.h>

#include <array>

namespace quern::grammar {

namespace {
constexpr uint32_t kMostIndent = 20;
const CharSet kControls{{0, 0x1F}};
const CharSet kEscaped{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};

// The escape of a character of kEscaped.
std::string escape_of(char32_t c) {
  constexpr std::string_view kChars = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
  const size_t known = c < 0x80 ? kChars.find(static_cast<char>(c)) : kChars.npos;
  return known != kChars.npos ? std::string("\\") + kNames[known]
                              : fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
}
}  // namespace

template <class Make>
Expr JsonSyntax::rule(std::optional<RuleId>& id, const char* name, const Make& make) {
  if (!id) {
    id = rules_.add_rule(name);
    rules_.define(*id, make());
  }
  return rules_.call(*id);
}

Expr JsonSyntax::space() {
  if (space_kind_ == JsonSpace::none) return rules_.empty();
  return rule(space_, "space", [&] {
    const Expr indent = rules_.repeat(rules_.characters({{' ', ' '}, {'\t', '\t'}}), 0, kMostIndent);
    return rules_.optional(
        rules_.choice({rules_.literal(" "), rules_.sequence({rules_.literal("\n"), indent})}));
  });
}

Expr JsonSyntax::any_char() {
  return rule(char_, "char", [&] {
    const Expr hex = rules_.characters({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
    const Expr d = rules_.characters({{'d', 'd'}, {'D', 'D'}});
    const Expr two = rules_.repeat(hex, 2, 2);
    // Escaped surrogates come in pairs.
    const Expr plain =
        rules_.sequence({rules_.characters({{'0', '9'}, {'a', 'c'}, {'e', 'f'}, {'A', 'C'}, {'E', 'F'}}),
                         rules_.repeat(hex, 3, 3)});
    const Expr below = rules_.sequence({d, rules_.characters({{'0', '7'}}), two});
    const Expr high = rules_.sequence({d, rules_.characters({{'8', '9'}, {'a', 'b'}, {'A', 'B'}}), two});
    const Expr low = rules_.sequence({d, rules_.characters({{'c', 'f'}, {'C', 'F'}}), two});
    const Expr unicode =
        rules_.sequence({rules_.literal("u"),
                         rules_.choice({plain, below, rules_.sequence({high, rules_.literal("\\u"), low})})});
    CharSet names;
    for (const char c : std::string_view("\"\\/bfnrt"))
      names.add(static_cast<char32_t>(c), static_cast<char32_t>(c));
    return rules_.choice(
        {rules_.characters(kEscaped.negated()),
         rules_.sequence({rules_.literal("\\"), rules_.choice({rules_.characters(names), unicode})})});
  });
}

Expr JsonSyntax::char_of(const CharSet& set) {
  std::vector<Expr> choices{rules_.characters(set.without(kEscaped))};
  for (const CharRange& range : set.shared_with(kEscaped).ranges()) {
    for (char32_t c = range.first; c <= range.last; ++c) choices.push_back(rules_.literal(escape_of(c)));
  }
  return rules_.choice(choices);
}

Expr JsonSyntax::text(std::string_view utf8) {
  std::string written;
  while (!utf8.empty()) {
    const char32_t c = take_char(utf8);
    if (kEscaped.contains(c)) {
      written += escape_of(c);
    } else {
      append_char(written, c);
    }
  }
  return rules_.literal(written);
}

Expr JsonSyntax::quoted(Expr content) {
  return rules_.sequence({rules_.literal("\""), content, rules_.literal("\"")});
}

Expr JsonSyntax::string() {
  return rule(string_, "string", [&] { return quoted(rules_.repeat(any_char(), 0, kUnbounded)); });
}

Expr JsonSyntax::integer() {
  return rule(integer_, "integer", [&] {
    const Expr digits = rules_.repeat(rules_.byte_range('0', '9'), 0, kUnbounded);
    return rules_.sequence(
        {rules_.optional(rules_.literal("-")),
         rules_.choice({rules_.literal("0"), rules_.sequence({rules_.byte_range('1', '9'), digits})})});
  });
}

Expr JsonSyntax::number() {
  return rule(number_, "number", [&] {
    const Expr digits = rules_.repeat(rules_.byte_range('0', '9'), 1, kUnbounded);
    const Expr sign = rules_.optional(rules_.characters({{'+', '+'}, {'-', '-'}}));
    return rules_.sequence(
        {integer(), rules_.optional(rules_.sequence({rules_.literal("."), digits})),
         rules_.optional(rules_.sequence({rules_.characters({{'e', 'e'}, {'E', 'E'}}), sign, digits}))});
  });
}

Expr JsonSyntax::comma() { return rules_.sequence({rules_.literal(","), space()}); }

Expr JsonSyntax::entry(Expr key, Expr value) {
  return rules_.sequence({key, rules_.literal(":"), space(), value});
}

Expr JsonSyntax::enclosed(char open, Expr content, char close) {
  return rules_.sequence({rules_.byte_range(static_cast<uint8_t>(open), static_cast<uint8_t>(open)), space(),
                          content, space(),
                          rules_.byte_range(static_cast<uint8_t>(close), static_cast<uint8_t>(close))});
}

namespace {
// Nothing, or parts with commas between.
Expr list_of(Rules& rules, Expr part, Expr comma) {
  Graph graph;
  const uint32_t before = graph.add_place(), after = graph.add_place();
  graph.add_edge(0, rules.empty(), before);
  graph.add_edge(before, part, after);
  graph.add_edge(after, comma, before);
  graph.ends = {0, after};
  return rules.graph(std::move(graph));
}
}  // namespace

Expr JsonSyntax::object() {
  return rule(object_, "object",
              [&] { return enclosed('{', list_of(rules_, entry(string(), value()), comma()), '}'); });
}

Expr JsonSyntax::array() {
  return rule(array_, "array", [&] { return enclosed('[', list_of(rules_, value(), comma()), ']'); });
}

Expr JsonSyntax::value() {
  return rule(value_, "value", [&] {
    return rules_.choice({object(), array(), string(), number(), rules_.literal("true"),
                          rules_.literal("false"), rules_.literal("null")});
  });
}

}  // namespace quern::grammar
