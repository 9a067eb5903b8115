// Templates as tokens: text between tags, and names, literals and operators inside them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/failure.h"
#include "text/jinja/value.h"

namespace quern::text::jinja {

struct Token {
  enum class Kind : uint8_t {
    data,            // text outside of tags, with whitespace already trimmed
    variable_begin,  // {{
    variable_end,
    block_begin,  // {%
    block_end,
    name,
    text,     // a string literal; `value` holds what it says
    integer,  // `value`
    real,     // `value`
    operation,
    end,  // of the template
  };
  Kind kind;
  std::string text;  // data, name or operator as written
  Value value;
  Position at;
};

// Newlines become \n and one newline at the end is dropped, as Jinja does before anything else. Positions are
// offsets into this text.
std::string normalize_source(std::string_view source);

// Tokens of normalised source, the last of kind `end`, with trim_blocks and lstrip_blocks on. Whitespace and
// tags follow Jinja 3.1. Throws Failure with a position.
std::vector<Token> tokenize(std::string_view source);

}  // namespace quern::text::jinja
