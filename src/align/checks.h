// Rewards that are checked by the program itself, or by one that somebody wrote.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "align/reward.h"

namespace quern::align {

// 1 where the answer is the reference, but for white space around it and how much there is within.
std::unique_ptr<Reward> exact_reward(bool ignore_case);  // of ASCII

// 1 where the number of the answer is that of the reference (number_in), whatever its spelling.
std::unique_ptr<Reward> numeric_reward();

// 1 where something in the answer matches; with `whole`, all of it. Patterns as grammar/regex.h has them, which take
// time linear in the answer. invalid_argument for another pattern.
Result<std::unique_ptr<Reward>> regex_reward(std::string_view pattern, bool whole);

// 1 where the answer, but for white space around it, is JSON that follows the schema as grammar/json_schema.h reads
// it: properties in the order that the schema has them. Errors of parse_json_schema.
Result<std::unique_ptr<Reward>> schema_reward(std::string_view schema);

// 1 where the answer has at least `least` and at most `most` tokens, without the one that ends it, and was not cut off.
std::unique_ptr<Reward> length_reward(int64_t least, int64_t most);

// What a program says: it reads a line of JSON for each answer, {"prompt", "answer", "reference"} and the other fields of
// the prompt's row, and writes a line with a number for each. Errors of run_program; invalid_argument, with the line, for
// anything else.
std::unique_ptr<Reward> command_reward(std::vector<std::string> argv, double seconds);

struct CodeRewardOptions {
  std::vector<std::string> run = {"python3", "-I", "-"};  // reads a program from its standard input
  std::string last = "print('{}')";         // the line behind the tests; {} is a word that no answer can know
  double seconds = 10.0;                    // for each answer
  int64_t memory_bytes = int64_t{1} << 30;  // of addresses
};
// 1 where the program in the answer (code_in), followed by the tests of the prompt's row ("tests", or MBPP's "test_list") and by
// `last`, ends with status 0 and that word: an answer that ends the program before its tests passes none. It runs here, with the
// rights of this process, in as much time and memory as is given: what must not be trusted needs a sandbox in `run`.
// Precondition: {} stands in `last`. invalid_argument where an empty program fails, and for a row without tests; errors of run_program for a program
// that cannot be started.
Result<std::unique_ptr<Reward>> code_reward(CodeRewardOptions options);

// The code of an answer: its last block between ```, or else all of it.
std::string_view code_in(std::string_view text);

// The number that a text gives as its answer: the first behind the last "####", as GSM8K has it; else the last in the
// last \boxed{}; else the last of the text. In one spelling: an optional minus sign, digits without leading zeros, and a
// fraction without trailing ones where it is not 0. "$1,234.50" is "1234.5".
std::optional<std::string> number_in(std::string_view text);

}  // namespace quern::align
