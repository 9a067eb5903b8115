// What a model is asked to write tasks, and what is read of its answers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "writing/instruction_pool.h"

namespace quern::writing {

// Numbered instructions, and the wish for `count` more of them.
std::string ask_for_instructions(std::span<const std::string> shown, int64_t count);
// The items of a numbered or bulleted list, without their numbers; lines that follow an item without a number belong to it up to an
// empty line. What stands before the first item is left out.
std::vector<std::string> read_list(const std::string& answer);

// Tasks with what is given along with them, and the wish for that of another one.
std::string ask_for_input(std::span<const Task* const> shown, const std::string& instruction);
// What is given; empty where the answer says that nothing is ("<noinput>", "none"), nothing where it says neither.
std::optional<std::string> read_input(const std::string& answer);

// Alpaca's variant: whole tasks in one answer.
std::string ask_for_tasks(std::span<const Task* const> shown, int64_t count);
// Tasks with their "Instruction:", "Input:" and "Output:"; those without one of the first and last are left out.
std::vector<Task> read_tasks(const std::string& answer);

// The question that a task is.
std::string ask_task(const Task& task);

}  // namespace quern::writing
