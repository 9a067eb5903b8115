// Regular expressions of tokenizer files on PCRE2 (JIT, Unicode), with a budget against hostile patterns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/segment.h"

namespace quern::text {

// A compiled expression; copies share it. const methods are thread-safe.
//
// The dialect of the files is Oniguruma's: $ and ^ are line anchors, and classes are Unicode. Where PCRE2
// means something else the expression is refused (set intersection, \h). PCRE2 10.42 knows the characters of
// Unicode 14.
class Regex {
 public:
  // Errors: invalid_argument with the position of a syntax error, unsupported for another dialect.
  static Result<Regex> compile(std::string_view pattern);
  // Matches exactly `text`.
  static Regex literal(std::string_view text);

  // Calls `match` for every match in the part `range` of `text`, left to right; empty matches are skipped.
  // What lies outside `range` is not seen. Precondition: valid UTF-8. Throws Exception(deadline) when the
  // pattern needs more than its budget of backtracking.
  void for_each(std::string_view text, Span range, const std::function<void(Span)>& match) const;

 private:
  struct Program;
  explicit Regex(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace quern::text
