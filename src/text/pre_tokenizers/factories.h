// The kinds of pre-tokenizers; pre_tokenizer.cpp has the table of their names. Each appends the steps that one
// component stands for.
#pragma once

#include "text/pre_tokenizer.h"
#include "text/split.h"

namespace quern::text {

using AddPreTokenizer = Result<void>(const Fields&, PreTokenizers&);

AddPreTokenizer add_bert, add_byte_level, add_char_delimiter_split, add_digits, add_fixed_length,
    add_metaspace, add_punctuation, add_split, add_unicode_scripts, add_whitespace, add_whitespace_split;

// The pieces that a lexer gives; what lies between them is dropped.
std::unique_ptr<PreTokenizer> make_lexing(Lexer lexer);
std::unique_ptr<PreTokenizer> make_splitting(Splitter splitter);

}  // namespace quern::text
