#include "writing/instruction_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/ascii.h"
#include "text/unicode.h"
#include "writing/rouge.h"

namespace quern::writing {

namespace {

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80);
}

// Whether `word` stands in `text` between characters that are none of words, both in small letters.
bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_word_char(text[at - 1])) && (end == text.size() || !is_word_char(text[end])))
      return true;
  }
  return false;
}

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    words += !is_space(c) && !inside ? 1 : 0;
    inside = !is_space(c);
  }
  return words;
}

}  // namespace

std::optional<LeftOut> check_instruction(const std::string& instruction, const InstructionPool& pool,
                                         const FilterOptions& options) {
  const std::string_view text = trimmed(instruction);
  if (text.empty()) return LeftOut{"empty", "nothing is asked"};
  const int64_t words = count_words(text);
  if (words < options.least_words || words > options.most_words) {
    return LeftOut{"words", fmt::format("{} words; {} to {} are wanted", words, options.least_words,
                                        options.most_words)};
  }
  const std::string lower = to_lower(text);
  if (options.ascii_start && std::isalnum(static_cast<unsigned char>(lower[0])) == 0)
    return LeftOut{"beginning", "it begins with neither a letter nor a digit of ASCII"};
  for (const std::string& beginning : options.beginnings)
    if (lower.starts_with(to_lower(beginning)))
      return LeftOut{"beginning", fmt::format("it begins with \"{}\"", beginning)};
  for (const std::string& word : options.words)
    if (has_word(lower, to_lower(word))) return LeftOut{"cannot", fmt::format("it speaks of \"{}\"", word)};
  const InstructionPool::Nearest nearest = pool.nearest(instruction, options.similarity);
  if (nearest.index < 0) return std::nullopt;
  const bool same = words_of(instruction) == words_of(pool[nearest.index]);
  return LeftOut{same ? "duplicate" : "similar",
                 fmt::format("ROUGE-L {:.2f} with \"{}\"", nearest.rouge_l, pool[nearest.index])};
}

std::optional<LeftOut> check_output(const Task& task) {
  const std::string_view output = trimmed(task.output);
  if (output.empty()) return LeftOut{"no_output", "the output is empty"};
  if (output == trimmed(task.input)) return LeftOut{"repeats", "the output is the input"};
  if (output == trimmed(task.instruction)) return LeftOut{"repeats", "the output is the instruction"};
  return std::nullopt;
}

const std::vector<std::string_view>& reasons_to_leave_out() {
  static const std::vector<std::string_view> reasons = {"unread",    "empty",     "words",   "beginning",
                                                        "cannot",    "duplicate", "similar", "no_input",
                                                        "no_output", "repeats",   "cut_off", "refused"};
  return reasons;
}

}  // namespace quern::writing
