// Which of the instructions that a model writes are kept: the filters of Self-Instruct (Wang et al. 2023, arXiv 2212.10560) and
// Alpaca, each of which can be set.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "writing/instruction_pool.h"

namespace quern::writing {

struct FilterOptions {
  int64_t least_words = 4, most_words = 150;  // of an instruction
  double similarity = 0.7;  // ROUGE-L with any in the pool, from which on it is too much the same
  // Words that speak of what a text model cannot do.
  std::vector<std::string> words = {"image",   "images",   "graph",  "graphs", "picture", "pictures",
                                    "file",    "files",    "map",    "maps",   "draw",    "plot",
                                    "go to",   "video",    "videos", "audio",  "music",   "flowchart",
                                    "diagram", "diagrams", "photo",  "photos"};
  // What instructions may not begin with: models and people do not agree on what is asked for.
  std::vector<std::string> beginnings = {"write a program"};
  bool ascii_start = true;  // the first character is a letter or digit of ASCII
};

// Why a task is left out: a name that is counted, and what it was for people.
struct LeftOut {
  std::string_view reason;
  std::string what;
};

// "empty", "words" (too few or too many), "beginning", "cannot" (a word of FilterOptions::words), "duplicate" or "similar"; nothing
// where it is kept.
std::optional<LeftOut> check_instruction(const std::string& instruction, const InstructionPool& pool,
                                         const FilterOptions& options);

// "no_output", "repeats" (the output is the input or the instruction); nothing where it is kept.
std::optional<LeftOut> check_output(const Task& task);

// All reasons, also of steps before: "unread" (an answer without tasks in it), "cut_off" (max_tokens ended it), "refused" (the
// question was not answered), "no_input" (a task that needs an input has none).
const std::vector<std::string_view>& reasons_to_leave_out();

}  // namespace quern::writing
