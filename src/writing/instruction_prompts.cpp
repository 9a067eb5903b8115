#include "writing/instruction_prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"

namespace quern::writing {

namespace {

constexpr std::string_view kNoInput = "<noinput>";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// What follows the number or bullet at the beginning of a line: "3.", "3)", "Task 3:", "**3.**", "-", "*".
std::optional<std::string_view> item_of(std::string_view line) {
  line = trimmed(line);
  if (line.starts_with("- ") || line.starts_with("* ")) return trimmed(line.substr(2));
  std::string_view rest = line;
  while (rest.starts_with('*') || rest.starts_with('#')) rest.remove_prefix(1);
  rest = trimmed(rest);
  if (to_lower(rest.substr(0, 4)) == "task") rest = trimmed(rest.substr(4));
  size_t digits = 0;
  while (digits < rest.size() && is_digit(rest[digits])) ++digits;
  if (digits == 0 || digits > 4 || digits == rest.size()) return std::nullopt;
  const char behind = rest[digits];
  if (behind != '.' && behind != ')' && behind != ':') return std::nullopt;
  rest.remove_prefix(digits + 1);
  if (!rest.empty() && is_digit(rest[0])) return std::nullopt;  // "3.5 litres"
  while (rest.starts_with('*')) rest.remove_prefix(1);
  return trimmed(rest);
}

std::string_view shown_input(const Task& task) {
  return task.input.empty() ? kNoInput : std::string_view(task.input);
}

// Whether a line begins with "label:", perhaps behind a number; `rest` is what follows it.
bool begins_part(std::string_view line, std::string_view label, std::string_view& rest) {
  line = trimmed(line);
  if (const auto item = item_of(line)) line = *item;
  while (line.starts_with('*') || line.starts_with('#')) line.remove_prefix(1);
  line = trimmed(line);
  if (to_lower(line.substr(0, label.size())) != label) return false;
  line.remove_prefix(label.size());
  while (line.starts_with('*')) line.remove_prefix(1);
  if (!line.starts_with(':')) return false;
  line.remove_prefix(1);
  while (line.starts_with('*')) line.remove_prefix(1);
  rest = trimmed(line);
  return true;
}

}  // namespace

std::string ask_for_instructions(std::span<const std::string> shown, int64_t count) {
  std::string text = "These are tasks that people gave to an assistant:\n\n";
  for (size_t i = 0; i < shown.size(); ++i) text += fmt::format("{}. {}\n", i + 1, shown[i]);
  text += fmt::format(
      "\nWrite {} more tasks of this kind. Each has another subject than those above and asks for something "
      "else. An "
      "assistant that reads and writes nothing but text must be able to do it. Write one task in each line, "
      "behind its "
      "number, and nothing else.",
      count);
  return text;
}

std::vector<std::string> read_list(const std::string& answer) {
  std::vector<std::string> items;
  bool inside = false;
  for (const std::string_view line : lines_of(answer)) {
    if (const auto item = item_of(line)) {
      items.emplace_back(*item);
      inside = true;
    } else if (trimmed(line).empty()) {
      inside = false;
    } else if (inside) {
      items.back() += fmt::format("{}{}", items.back().empty() ? "" : " ", trimmed(line));
    }
  }
  return items;
}

std::string ask_for_input(std::span<const Task* const> shown, const std::string& instruction) {
  std::string text = fmt::format(
      "Some tasks need something that is given along with them: a text, a list, some facts. Others say "
      "everything "
      "themselves; of them we write {}.\n",
      kNoInput);
  for (const Task* task : shown)
    text += fmt::format("\nTask: {}\nInput: {}\n", task->instruction, shown_input(*task));
  text += fmt::format(
      "\nTask: {}\n\nWrite the input of this last task: an example of what is given along with it, or {}. "
      "Write nothing "
      "else, and do not do the task.",
      instruction, kNoInput);
  return text;
}

std::optional<std::string> read_input(const std::string& answer) {
  std::string_view text = trimmed(answer);
  std::string_view rest;
  const size_t first = std::min(text.find('\n'), text.size());
  if (begins_part(text.substr(0, first), "input", rest))
    text = trimmed(text.substr(static_cast<size_t>(rest.data() - text.data())));
  for (const std::string_view next : {"\nTask:", "\nOutput:"})
    text = trimmed(text.substr(0, text.find(next)));
  if (text.empty()) return std::nullopt;
  const std::string lower = to_lower(text);
  if (lower.find(kNoInput) != std::string::npos) return std::string();
  for (const std::string_view none : {"none", "none.", "n/a", "no input", "no input."})
    if (lower == none) return std::string();
  return std::string(text);
}

std::string ask_for_tasks(std::span<const Task* const> shown, int64_t count) {
  std::string text =
      "These are tasks that people gave to an assistant, each with what was given along with it, and what "
      "was "
      "answered:\n";
  for (size_t i = 0; i < shown.size(); ++i) {
    text += fmt::format("\n###\n{}. Instruction: {}\nInput: {}\nOutput: {}\n", i + 1, shown[i]->instruction,
                        shown_input(*shown[i]), shown[i]->output);
  }
  text += fmt::format(
      "\nWrite {} more of them in the same form, with ### before each. Each has another subject than those "
      "above and asks "
      "for something else, in one or two sentences; questions and commands alternate. An assistant that "
      "reads and writes "
      "nothing but text must be able to do it. The input is short and complete, or {} where the instruction "
      "says "
      "everything. The output is a whole and fitting answer.",
      count, kNoInput);
  return text;
}

std::vector<Task> read_tasks(const std::string& answer) {
  struct Part {
    std::string_view label;
    std::string Task::*text;
  };
  constexpr Part kParts[] = {
      {"instruction", &Task::instruction}, {"input", &Task::input}, {"output", &Task::output}};
  std::vector<Task> tasks;
  std::string Task::*open = nullptr;
  for (const std::string_view line : lines_of(answer)) {
    if (trimmed(line) == "###") {
      open = nullptr;
      continue;
    }
    std::string_view rest = line;
    bool begins = false;
    for (const Part& part : kParts) {
      if (begins || !begins_part(line, part.label, rest)) continue;
      begins = true;
      if (part.text == &Task::instruction) tasks.emplace_back();
      open = tasks.empty() ? nullptr : part.text;
    }
    if (open == nullptr) continue;
    std::string& text = tasks.back().*open;
    text += fmt::format("{}{}", text.empty() ? "" : "\n", begins ? rest : line);
  }
  std::vector<Task> whole;
  for (Task& task : tasks) {
    for (const Part& part : kParts) task.*part.text = std::string(trimmed(task.*part.text));
    if (task.instruction.empty() || task.output.empty()) continue;
    task.input = read_input(task.input).value_or("");
    whole.push_back(std::move(task));
  }
  return whole;
}

std::string ask_task(const Task& task) {
  return task.input.empty() ? task.instruction : task.instruction + "\n" + task.input;
}

}  // namespace quern::writing
