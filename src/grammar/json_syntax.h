// JSON (RFC 8259) as expressions: strings with restricted characters, numbers within bounds, any value.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "grammar/rules.h"

namespace quern::grammar {

// What stands between the parts of a JSON text: nothing, or at most one space, or a line feed and up to 20 spaces or
// tabs. Without an end a model could write spaces for ever.
enum class JsonSpace { none, some };

// The rules are added to `rules`, which must outlive it, when they are first asked for. Not thread-safe.
class JsonSyntax {
 public:
  JsonSyntax(Rules& rules, JsonSpace space) : rules_(rules), space_kind_(space) {}

  Expr space();
  // A string of any content; its content from `content`; and one character of any content, or of a set.
  Expr string();
  Expr quoted(Expr content);
  Expr any_char();
  Expr char_of(const CharSet& set);
  // The one spelling of a text that char_of() allows, without quotes.
  Expr text(std::string_view utf8);
  Expr number();
  Expr integer();
  Expr value();
  Expr object();
  Expr array();
  // key ":" value
  Expr entry(Expr key, Expr value);
  // "{" or "[", something, and the other one, with spaces.
  Expr enclosed(char open, Expr content, char close);
  // "," between two parts.
  Expr comma();

 private:
  // A rule that is defined once, by make(), when it is first called.
  template <class Make>
  Expr rule(std::optional<RuleId>& id, const char* name, const Make& make);

  Rules& rules_;
  JsonSpace space_kind_;
  std::optional<RuleId> space_, string_, char_, number_, integer_, value_, object_, array_;
};

}  // namespace quern::grammar
