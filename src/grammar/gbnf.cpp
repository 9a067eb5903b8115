#include "grammar/gbnf.h"

#include <algorithm>
#include <map>

#include "base/nearest.h"
#include "grammar/source_reader.h"

namespace quern::grammar {

namespace {

constexpr std::string_view kGrammar = "grammar";

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser {
 public:
  GbnfParser(std::string_view text, Rules& rules, const NamedRules& known) : in_(text), rules_(rules) {
    for (const auto& [name, rule] : known) names_.emplace(name, Known{rule, 0});
  }

  Result<RuleId> run(std::string_view root) {
    skip_space();
    while (!in_.done()) QUERN_CHECK(rule());
    for (const auto& [name, known] : names_) {
      if (!rules_.rules()[known.rule].defined) return undefined(name, known);
    }
    const auto found = names_.find(root);
    if (found == names_.end()) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("grammar: there is no rule named '{}', where a text starts", root),
                        fmt::format("write {} ::= ...", root));
    }
    return found->second.rule;
  }

 private:
  struct Known {
    RuleId rule;
    size_t first_use;  // in the text
  };

  Error fail(std::string_view message, std::string hint = {}) const {
    return in_.error(kGrammar, message, std::move(hint));
  }

  Error undefined(const std::string& name, const Known& known) const {
    std::vector<std::string> defined;
    for (const auto& [other, entry] : names_) {
      if (rules_.rules()[entry.rule].defined) defined.push_back(other);
    }
    return in_.error_at(known.first_use, kGrammar, fmt::format("rule '{}' is not defined", name),
                        suggestion(name, defined));
  }

  void skip_space() {
    while (!in_.done()) {
      if (std::string_view(" \t\r\n").find(in_.peek()) != std::string_view::npos) {
        in_.skip(1);
      } else if (in_.peek() == '#') {
        in_.skip(std::min(in_.rest().find('\n'), in_.rest().size()));
      } else {
        return;
      }
    }
  }

  std::string_view name_ahead() const {
    const auto end = std::ranges::find_if_not(in_.rest(), is_name_char);
    return in_.rest().substr(0, static_cast<size_t>(end - in_.rest().begin()));
  }
  // Whether `name ::=` follows, which ends the rule before it.
  bool sees_rule() const {
    const std::string_view name = name_ahead();
    if (name.empty()) return false;
    SourceReader ahead(in_.rest().substr(name.size()));
    while (ahead.peek() == ' ' || ahead.peek() == '\t') ahead.skip(1);
    return ahead.sees("::=");
  }

  RuleId rule_named(std::string_view name) {
    const auto found = names_.find(name);
    if (found != names_.end()) return found->second.rule;
    const RuleId rule = rules_.add_rule(std::string(name));
    names_.emplace(name, Known{rule, in_.position()});
    return rule;
  }

  Result<void> rule() {
    if (!sees_rule()) return fail("expected a rule, as name ::= ...");
    const std::string_view name = name_ahead();
    const RuleId rule = rule_named(name);
    if (rules_.rules()[rule].defined) return fail(fmt::format("rule '{}' is defined twice", name));
    in_.skip(name.size());
    skip_space();
    in_.take("::=");
    skip_space();
    QUERN_TRY(const Expr body, alternatives(0));
    rules_.define(rule, body);
    if (!in_.done() && !sees_rule()) return fail(fmt::format("unexpected '{}'", in_.peek()));
    return {};
  }

  Result<Expr> alternatives(uint32_t depth) {
    if (depth > rules_.limits().depth) return fail("groups nest too deep");
    std::vector<Expr> choices;
    do {
      skip_space();
      QUERN_TRY(const Expr choice, sequence(depth));
      choices.push_back(choice);
    } while (in_.take("|"));
    return rules_.choice(choices);
  }

  Result<Expr> sequence(uint32_t depth) {
    std::vector<Expr> parts;
    while (!in_.done() && in_.peek() != '|' && in_.peek() != ')' && !sees_rule()) {
      QUERN_TRY(Expr part, element(depth));
      while (!in_.done() && std::string_view("*+?{").find(in_.peek()) != std::string_view::npos) {
        QUERN_TRY(part, repetition(part));
      }
      parts.push_back(part);
      skip_space();
    }
    return rules_.sequence(parts);
  }

  Result<Expr> element(uint32_t depth) {
    if (in_.peek() == '"' || in_.peek() == '\'') return string();
    if (in_.take("[")) return char_class();
    if (in_.take(".")) return rules_.characters(CharSet::all());
    if (in_.take("(")) {
      if (in_.peek() == '=' || in_.peek() == '!') return fail("look-ahead is not supported");
      QUERN_TRY(const Expr group, alternatives(depth + 1));
      if (!in_.take(")")) return fail("expected ')'");
      return group;
    }
    const std::string_view name = name_ahead();
    if (name.empty()) {
      return fail(
          fmt::format("expected a string, a class, a group or the name of a rule, got '{}'", in_.peek()),
          in_.peek() == '<' ? "tokens are not supported: write what they spell" : "");
    }
    const RuleId rule = rule_named(name);
    in_.skip(name.size());
    return rules_.call(rule);
  }

  Result<Expr> string() {
    const char quote = in_.peek();
    in_.skip(1);
    std::string text;
    while (in_.peek() != quote) {
      if (in_.done() || in_.peek() == '\n') return fail("the string does not end");
      if (in_.peek() == '\\') {
        QUERN_CHECK(escape([&](char32_t c) { append_char(text, c); }));
      } else {
        text += in_.peek();
        in_.skip(1);
      }
    }
    in_.skip(1);
    return rules_.literal(text);
  }

  Result<char32_t> class_char() {
    char32_t c = 0;
    if (in_.done() || in_.peek() == '\n') return fail("the class does not end: expected ']'");
    if (in_.peek() != '\\') return in_.take_char();
    QUERN_CHECK(escape([&](char32_t escaped) { c = escaped; }));
    return c;
  }

  Result<Expr> char_class() {
    const bool negated = in_.take("^");
    CharSet set;
    while (!in_.take("]")) {
      QUERN_TRY(const char32_t first, class_char());
      char32_t last = first;
      if (in_.peek() == '-' && in_.peek(1) != ']') {
        in_.skip(1);
        QUERN_TRY(last, class_char());
        if (last < first) return fail("the range of characters runs backwards");
      }
      set.add(first, last);
    }
    return rules_.characters(negated ? set.negated() : set);
  }

  template <class Receive>
  Result<void> escape(const Receive& receive) {
    constexpr std::string_view kNames = "nrt\\\"'[]-^/", kValues = "\n\r\t\\\"'[]-^/";
    const char name = in_.peek(1);
    if (const size_t known = kNames.find(name); name != '\0' && known != kNames.npos) {
      in_.skip(2);
      return receive(static_cast<char32_t>(kValues[known])), Result<void>();
    }
    const int digits = name == 'x' ? 2 : name == 'u' ? 4 : name == 'U' ? 8 : 0;
    if (digits == 0) return fail("unknown escape");
    in_.skip(2);
    const std::optional<char32_t> value = in_.take_hex(digits);
    if (!value || *value > kLastChar) return fail(fmt::format("expected {} hexadecimal digits", digits));
    return receive(*value), Result<void>();
  }

  Result<Expr> repetition(Expr part) {
    if (in_.take("*")) return rules_.repeat(part, 0, kUnbounded);
    if (in_.take("+")) return rules_.repeat(part, 1, kUnbounded);
    if (in_.take("?")) return rules_.optional(part);
    in_.take("{");
    skip_space();
    const std::optional<uint32_t> least = in_.take_number();
    skip_space();
    std::optional<uint32_t> most = least;
    if (in_.take(",")) {
      skip_space();
      most = in_.take_number();
      skip_space();
      if (!least && !most) return fail("expected a number of repetitions");
      if (!most) most = kUnbounded;
    }
    if (!most || !in_.take("}")) return fail("expected repetitions, as {2}, {2,} or {2,5}");
    if (*most < least.value_or(0)) return fail("the most repetitions are fewer than the least");
    return rules_.repeat(part, least.value_or(0), *most);
  }

  SourceReader in_;
  Rules& rules_;
  std::map<std::string, Known, std::less<>> names_;
};

}  // namespace

Result<RuleId> parse_gbnf(std::string_view text, Rules& rules, const NamedRules& known,
                          std::string_view root) {
  if (text.size() > rules.limits().source_bytes) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("grammar: {} bytes are more than the {} that are read", text.size(),
                                  rules.limits().source_bytes));
  }
  return GbnfParser(text, rules, known).run(root);
}

}  // namespace quern::grammar
