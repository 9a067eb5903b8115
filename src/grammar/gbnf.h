// Grammars as text: GBNF, as llama.cpp documents it, and the plain EBNF with `::=` that vLLM and XGrammar take.
//
//   root   ::= "The answer is " number "."   # starts at `root`
//   number ::= [1-9] [0-9]{0,4} | "0"
//
// A rule reaches to the next `name ::=`. Strings stand in "..." or '...'; classes are [a-z_], [^"\\], or . for any
// character; groups (...); alternatives |; then *, +, ?, {m}, {m,}, {m,n}. Escapes: \n \r \t \\ \" \' \[ \] \- \^ \xHH
// \uHHHH \UHHHHHHHH. Comments go from # to the end of the line.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "grammar/rules.h"

namespace quern::grammar {

using NamedRules = std::map<std::string, RuleId, std::less<>>;

// Adds the rules of the text, and gives the one named `root`. `known`: rules it may call that are there already.
// invalid_argument with line and column; what is not known (tokens as <[1]>, look-ahead) is refused.
Result<RuleId> parse_gbnf(std::string_view text, Rules& rules, const NamedRules& known = {},
                          std::string_view root = "root");

}  // namespace quern::grammar
