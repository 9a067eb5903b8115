// Regular expressions as rules: the part of ECMAScript's and Python's syntax that describes a regular language.
//
// Known: alternatives, groups ( ) and (?: ) and named ones, classes, ., * + ? {m} {m,} {m,n} (lazy ones mean the
// same), ^ and $ at the ends, \d \D \w \W \s \S of ASCII, \t \n \r \f \v \0 \xHH \uHHHH \u{H...} \cX and escaped
// punctuation. The dot is any character but a line feed or carriage return. Look-around, backreferences, \b and \p are
// refused.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "grammar/rules.h"

namespace quern::grammar {

struct RegexOptions {
  // Whether texts match that only contain a match, as `pattern` of JSON schema has it; else the whole text must.
  bool search = false;
  // How one character of a set is written: plain UTF-8 where empty; inside of JSON strings some are escaped.
  std::function<Expr(const CharSet&)> write = {};
};

// invalid_argument with the place, where the pattern is not valid or not supported.
Result<Expr> parse_regex(std::string_view pattern, Rules& rules, const RegexOptions& options = {});

}  // namespace quern::grammar
