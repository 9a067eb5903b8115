// Expressions of templates, by recursive descent with Jinja's precedences.
#pragma once

#include <string>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace quern::text::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  // a if b else c; without `conditional` what may stand before an `if` of its own.
  ExpressionPtr expression(bool conditional = true);
  // One expression, or several with commas as a tuple.
  ExpressionPtr tuple(bool conditional = true);
  // "| filter | filter" after `subject` (null: what a block gives); null when there is none.
  ExpressionPtr filters(ExpressionPtr subject);
  // "filter | filter", as a filter block names them.
  ExpressionPtr filters_of_block();

  // Filters and tests that do not exist. An `if`, as statement or expression, may guard them: what is parsed
  // inside of one is forgotten by forgive_unknown.
  struct Unknown {
    Position at;
    std::string message;
  };
  const std::vector<Unknown>& unknown() const { return unknown_; }
  size_t unknown_count() const { return unknown_.size(); }
  void forgive_unknown(size_t count) { unknown_.resize(count); }

  // Which special names of macros the expressions since the last reset used.
  struct SpecialNames {
    bool caller = false, kwargs = false, varargs = false;
  };
  SpecialNames& special_names() { return special_; }

  // One more level of nesting for as long as it lives.
  class Level {
   public:
    explicit Level(ExpressionParser& parser);
    ~Level() { --parser_.nesting_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    ExpressionParser& parser_;
  };

 private:
  ExpressionPtr logical_or();
  ExpressionPtr logical_and();
  ExpressionPtr logical_not();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filter = true);
  ExpressionPtr primary();
  ExpressionPtr name();
  ExpressionPtr parenthesized();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr owner);
  ExpressionPtr filters_and_tests(ExpressionPtr subject);
  ExpressionPtr attribute(ExpressionPtr owner);
  ExpressionPtr subscript(ExpressionPtr owner);
  ExpressionPtr slice(ExpressionPtr owner, ExpressionPtr start, Position at);
  ExpressionPtr call(ExpressionPtr callee);
  ExpressionPtr filter(ExpressionPtr subject);
  ExpressionPtr test(ExpressionPtr subject);
  std::string dotted_name();
  CallArguments arguments();
  bool ends_tuple() const;

  TokenStream& tokens_;
  int nesting_ = 0;
  std::vector<Unknown> unknown_;
  SpecialNames special_;
};

}  // namespace quern::text::jinja
