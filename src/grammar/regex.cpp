#include "grammar/regex.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "grammar/source_reader.h"

namespace quern::grammar {

namespace {

constexpr std::string_view kRegex = "regular expression";

// A parsed pattern. Anchors are resolved when expressions are made of it: what they mean depends on where they stand.
struct Tree {
  enum class Kind { set, begin, end, sequence, choice, repeat };
  Kind kind;
  CharSet set = {};
  std::vector<Tree> parts = {};
  uint32_t least = 1, most = 1;

  bool has_anchor() const {
    return kind == Kind::begin || kind == Kind::end || std::ranges::any_of(parts, &Tree::has_anchor);
  }
};

CharSet digits() { return {{'0', '9'}}; }
CharSet word_chars() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
CharSet spaces() { return {{'\t', '\r'}, {' ', ' '}}; }

class RegexParser {
 public:
  RegexParser(std::string_view pattern, uint32_t deepest) : in_(pattern), deepest_(deepest) {}

  Result<Tree> run() {
    QUERN_TRY(Tree tree, alternatives(0));
    if (!in_.done()) return fail("unexpected ')'");
    return tree;
  }

 private:
  Error fail(std::string_view message, std::string hint = {}) const {
    return in_.error(kRegex, message, std::move(hint));
  }

  Result<Tree> alternatives(uint32_t depth) {
    if (depth > deepest_) return fail("groups nest too deep");
    Tree choice{Tree::Kind::choice};
    do {
      Tree sequence{Tree::Kind::sequence};
      while (!in_.done() && in_.peek() != '|' && in_.peek() != ')') {
        QUERN_TRY(Tree part, atom(depth));
        QUERN_TRY(part, repeated(std::move(part)));
        sequence.parts.push_back(std::move(part));
      }
      choice.parts.push_back(std::move(sequence));
    } while (in_.take("|"));
    return choice.parts.size() == 1 ? std::move(choice.parts[0]) : std::move(choice);
  }

  Result<Tree> atom(uint32_t depth) {
    if (in_.take("^")) return Tree{Tree::Kind::begin};
    if (in_.take("$")) return Tree{Tree::Kind::end};
    if (in_.take(".")) return Tree{Tree::Kind::set, CharSet{{'\n', '\n'}, {'\r', '\r'}}.negated()};
    if (in_.take("(")) return group(depth);
    if (in_.take("[")) return char_class();
    if (std::string_view("*+?").find(in_.peek()) != std::string_view::npos) return fail("nothing to repeat");
    if (in_.take("\\")) {
      QUERN_TRY(CharSet set, escape(false));
      return Tree{Tree::Kind::set, std::move(set)};
    }
    return Tree{Tree::Kind::set, CharSet::one(in_.take_char())};
  }

  Result<Tree> group(uint32_t depth) {
    if (in_.sees("?=") || in_.sees("?!") || in_.sees("?<=") || in_.sees("?<!"))
      return fail("look-around is not supported");
    if (in_.take("?P<") || in_.take("?<")) {
      const size_t end = in_.rest().find('>');
      if (end == std::string_view::npos) return fail("the name of the group does not end");
      in_.skip(end + 1);
    } else if (in_.peek() == '?' && !in_.take("?:")) {
      return fail("this kind of group is not supported", "known are (...), (?:...) and (?<name>...)");
    }
    QUERN_TRY(Tree inner, alternatives(depth + 1));
    if (!in_.take(")")) return fail("expected ')'");
    return inner;
  }

  Result<Tree> repeated(Tree part) {
    while (true) {
      uint32_t least = 0, most = kUnbounded;
      if (in_.take("+")) {
        least = 1;
      } else if (in_.take("?")) {
        most = 1;
      } else if (in_.peek() == '{' && in_.peek(1) >= '0' && in_.peek(1) <= '9') {
        in_.skip(1);
        least = most = *in_.take_number();
        if (in_.take(",")) most = in_.take_number().value_or(kUnbounded);
        if (!in_.take("}")) return fail("expected '}'");
        if (most < least) return fail("the most repetitions are fewer than the least");
      } else if (!in_.take("*")) {
        return part;
      }
      if (part.has_anchor()) return fail("an anchor cannot be repeated");
      in_.take("?");  // lazy: the same texts
      std::vector<Tree> parts;
      parts.push_back(std::move(part));
      part = Tree{Tree::Kind::repeat, {}, std::move(parts), least, most};
      if (++repeats_ > deepest_ * 1000) return fail("too many quantifiers");
      const bool again = in_.peek() == '*' || in_.peek() == '+' || in_.peek() == '?' ||
                         (in_.peek() == '{' && in_.peek(1) >= '0' && in_.peek(1) <= '9');
      if (!again) return part;
      return fail("two quantifiers in a row", "write (?:...) around the first");
    }
  }

  Result<Tree> char_class() {
    const bool negated = in_.take("^");
    CharSet set;
    while (!in_.take("]")) {
      if (in_.done()) return fail("the class does not end: expected ']'");
      QUERN_TRY(CharSet first, class_atom());
      const std::vector<CharRange> single = first.ranges();
      if (in_.peek() != '-' || in_.peek(1) == ']' || single.size() != 1 ||
          single[0].first != single[0].last) {
        set.add(first);
        continue;
      }
      in_.skip(1);
      if (in_.done()) return fail("the class does not end: expected ']'");
      QUERN_TRY(CharSet last, class_atom());
      const std::vector<CharRange> end = last.ranges();
      if (end.size() != 1 || end[0].first != end[0].last) return fail("a range must end with a character");
      if (end[0].first < single[0].first) return fail("the range of characters runs backwards");
      set.add(single[0].first, end[0].first);
    }
    return Tree{Tree::Kind::set, negated ? set.negated() : set};
  }

  Result<CharSet> class_atom() {
    if (in_.take("\\")) return escape(true);
    return CharSet::one(in_.take_char());
  }

  // After the backslash.
  Result<CharSet> escape(bool in_class) {
    if (in_.done()) return fail("the pattern ends in a backslash");
    const char c = in_.peek();
    if (c >= '1' && c <= '9') return fail("backreferences are not supported");
    in_.skip(static_cast<uint8_t>(c) < 0x80 ? 1 : 0);
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return digits().negated();
      case 'w':
        return word_chars();
      case 'W':
        return word_chars().negated();
      case 's':
        return spaces();
      case 'S':
        return spaces().negated();
      case 't':
        return CharSet::one('\t');
      case 'n':
        return CharSet::one('\n');
      case 'r':
        return CharSet::one('\r');
      case 'f':
        return CharSet::one('\f');
      case 'v':
        return CharSet::one('\v');
      case '0':
        return CharSet::one(0);
      case 'c':
        return control();
      case 'x':
        return hex(2);
      case 'u':
        return unicode();
      case 'b':
        if (in_class) return CharSet::one('\b');
        break;
      default:
        break;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      return fail(fmt::format("\\{} is not supported", c));
    return CharSet::one(static_cast<uint8_t>(c) < 0x80 ? static_cast<char32_t>(c) : in_.take_char());
  }

  Result<CharSet> control() {
    const char letter = in_.peek();
    if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z')))
      return fail("expected a letter after \\c");
    in_.skip(1);
    return CharSet::one(static_cast<char32_t>(letter & 0x1F));
  }

  Result<CharSet> hex(int digits) {
    const std::optional<char32_t> value = in_.take_hex(digits);
    if (!value) return fail(fmt::format("expected {} hexadecimal digits", digits));
    return CharSet::one(*value);
  }

  Result<CharSet> unicode() {
    if (!in_.take("{")) return hex(4);
    const size_t length = in_.rest().find('}');
    const auto value = length <= 6 ? in_.take_hex(static_cast<int>(length)) : std::nullopt;
    if (length == 0 || !value || *value > kLastChar || !in_.take("}"))
      return fail("expected up to 6 hexadecimal digits and '}'");
    return CharSet::one(*value);
  }

  SourceReader in_;
  uint32_t deepest_;
  uint32_t repeats_ = 0;
};

class Emitter {
 public:
  Emitter(Rules& rules, const RegexOptions& options) : rules_(rules), options_(options) {}

  Result<Expr> run(const Tree& tree) {
    const Expr expr = emit(tree, true, true);
    if (!misplaced_) return expr;
    return make_error(ErrorCode::invalid_argument,
                      "regular expression: ^ and $ are supported at its ends alone");
  }

 private:
  // `left` and `right`: the part reaches to this end of the pattern. There, where a match is searched for, any text may
  // stand before it and after it, but for anchors.
  Expr emit(const Tree& tree, bool left, bool right) {
    switch (tree.kind) {
      case Tree::Kind::choice:
      case Tree::Kind::sequence:
        return tree.kind == Tree::Kind::choice ? choice(tree, left, right) : sequence(tree, left, right);
      case Tree::Kind::begin:
        misplaced_ = misplaced_ || !left;
        return open(rules_.empty(), false, right);
      case Tree::Kind::end:
        misplaced_ = misplaced_ || !right;
        return open(rules_.empty(), left, false);
      case Tree::Kind::set:
        return open(write(tree.set), left, right);
      case Tree::Kind::repeat:
        return open(rules_.repeat(emit(tree.parts[0], false, false), tree.least, tree.most), left, right);
    }
    return rules_.nothing();
  }

  Expr write(const CharSet& set) { return options_.write ? options_.write(set) : rules_.characters(set); }
  Expr any_text() {
    if (!any_) any_ = rules_.repeat(write(CharSet::all()), 0, kUnbounded);
    return *any_;
  }
  Expr open(Expr expr, bool left, bool right) {
    if (!options_.search || (!left && !right)) return expr;
    const Expr none = rules_.empty();
    return rules_.sequence({left ? any_text() : none, expr, right ? any_text() : none});
  }

  Expr choice(const Tree& tree, bool left, bool right) {
    std::vector<Expr> choices;
    for (const Tree& part : tree.parts) choices.push_back(emit(part, left, right));
    return rules_.choice(choices);
  }

  // Anchors at an end say so and nothing more; only what follows them still reaches to the end of the pattern.
  Expr sequence(const Tree& tree, bool left, bool right) {
    size_t begin = 0, end = tree.parts.size();
    bool anchored_left = false, anchored_right = false;
    for (; left && begin < end && tree.parts[begin].kind == Tree::Kind::begin; ++begin) anchored_left = true;
    for (; right && end > begin && tree.parts[end - 1].kind == Tree::Kind::end; --end) anchored_right = true;
    const bool open_left = left && !anchored_left, open_right = right && !anchored_right;
    if (begin == end) return open(rules_.empty(), open_left, open_right);
    std::vector<Expr> parts;
    for (size_t i = begin; i < end; ++i)
      parts.push_back(emit(tree.parts[i], open_left && i == begin, open_right && i + 1 == end));
    return rules_.sequence(parts);
  }

  Rules& rules_;
  const RegexOptions& options_;
  std::optional<Expr> any_;
  bool misplaced_ = false;  // an anchor
};

}  // namespace

Result<Expr> parse_regex(std::string_view pattern, Rules& rules, const RegexOptions& options) {
  if (pattern.size() > rules.limits().source_bytes) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("regular expression: {} bytes are more than the {} that are read",
                                  pattern.size(), rules.limits().source_bytes));
  }
  QUERN_TRY(const Tree tree, RegexParser(pattern, rules.limits().depth).run());
  return Emitter(rules, options).run(tree);
}

}  // namespace quern::grammar
