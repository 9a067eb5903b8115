#include "align/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/ascii.h"
#include "base/json.h"
#include "grammar/grammar.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"

namespace quern::align {

namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Words with one space between them.
std::string plain(std::string_view text, bool ignore_case) {
  std::string result;
  for (const char c : trimmed(text)) {
    if (is_space(c)) {
      if (!result.ends_with(' ')) result += ' ';
    } else {
      result += ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return result;
}

// A check of each answer by itself.
class Check final : public Reward {
 public:
  explicit Check(std::function<bool(const Answered&)> passes) : passes_(std::move(passes)) {}
  Result<std::vector<double>> score(std::span<const Answered> answers) override {
    std::vector<double> scores;
    for (const Answered& answer : answers) scores.push_back(passes_(answer) ? 1.0 : 0.0);
    return scores;
  }

 private:
  std::function<bool(const Answered&)> passes_;
};

std::unique_ptr<Reward> check(std::function<bool(const Answered&)> passes) {
  return std::make_unique<Check>(std::move(passes));
}

bool matches(const std::shared_ptr<const grammar::Grammar>& grammar, std::string_view text) {
  grammar::Matcher matcher(grammar);
  return matcher.accept(text) && matcher.can_end();
}

// What begins at `at`, which is a digit, or a point before one, and how far it reaches.
std::string read_number(std::string_view text, size_t at, size_t& end) {
  const bool negative = at > 0 && text[at - 1] == '-' && (at < 2 || !is_digit(text[at - 2]));
  const bool dollars = at > 1 && text[at - 1] == '$' && text[at - 2] == '-';
  std::string whole, fraction;
  for (; at < text.size(); ++at) {
    // Commas belong to a number where three digits follow, and no fourth.
    const auto digits = [&](size_t from) {
      size_t count = 0;
      while (from + count < text.size() && is_digit(text[from + count])) ++count;
      return count;
    };
    if (is_digit(text[at]))
      whole += text[at];
    else if (text[at] != ',' || whole.empty() || digits(at + 1) != 3)
      break;
  }
  if (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
    for (++at; at < text.size() && is_digit(text[at]); ++at) fraction += text[at];
  }
  end = at;
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (whole.empty()) whole = "0";
  const std::string number = fraction.empty() ? whole : whole + "." + fraction;
  return (negative || dollars) && number != "0" ? "-" + number : number;
}

std::vector<std::string> numbers_in(std::string_view text) {
  std::vector<std::string> numbers;
  for (size_t at = 0; at < text.size();) {
    const bool begins =
        is_digit(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1]));
    if (begins)
      numbers.push_back(read_number(text, at, at));
    else
      ++at;
  }
  return numbers;
}

}  // namespace

std::optional<std::string> number_in(std::string_view text) {
  if (const size_t mark = text.rfind("####"); mark != std::string_view::npos) {
    const std::vector<std::string> numbers = numbers_in(text.substr(mark + 4));
    return numbers.empty() ? std::nullopt : std::optional(numbers.front());
  }
  constexpr std::string_view kBoxed = "\\boxed{";
  if (const size_t box = text.rfind(kBoxed); box != std::string_view::npos) {
    const std::string_view inside = text.substr(box + kBoxed.size());
    const std::vector<std::string> numbers = numbers_in(inside.substr(0, inside.find('}')));
    return numbers.empty() ? std::nullopt : std::optional(numbers.back());
  }
  const std::vector<std::string> numbers = numbers_in(text);
  return numbers.empty() ? std::nullopt : std::optional(numbers.back());
}

std::unique_ptr<Reward> exact_reward(bool ignore_case) {
  return check([ignore_case](const Answered& answer) {
    return plain(answer.text, ignore_case) == plain(answer.prompt->reference, ignore_case);
  });
}

std::unique_ptr<Reward> numeric_reward() {
  return check([](const Answered& answer) {
    const std::optional<std::string> number = number_in(answer.text);
    return number && number == number_in(answer.prompt->reference);
  });
}

Result<std::unique_ptr<Reward>> regex_reward(std::string_view pattern, bool whole) {
  grammar::Rules rules;
  const grammar::RuleId root = rules.add_rule("answer");
  QUERN_TRY(const grammar::Expr expression, grammar::parse_regex(pattern, rules, {.search = !whole}));
  rules.define(root, expression);
  QUERN_TRY(const std::shared_ptr<const grammar::Grammar> compiled,
            grammar::Grammar::compile(std::move(rules), root));
  return check([compiled](const Answered& answer) { return matches(compiled, answer.text); });
}

Result<std::unique_ptr<Reward>> schema_reward(std::string_view schema) {
  grammar::Rules rules;
  QUERN_TRY(const grammar::RuleId root,
            grammar::parse_json_schema(schema, rules, {.space = grammar::JsonSpace::none}));
  QUERN_TRY(const std::shared_ptr<const grammar::Grammar> compiled,
            grammar::Grammar::compile(std::move(rules), root));
  return check([compiled](const Answered& answer) {
    // In one spelling, without spaces.
    const Result<nlohmann::ordered_json> json = parse_ordered_json(trimmed(answer.text), "answer");
    return json.ok() && matches(compiled, json->dump());
  });
}

std::unique_ptr<Reward> length_reward(int64_t least, int64_t most) {
  return check([least, most](const Answered& answer) {
    return answer.ended && answer.tokens >= least && answer.tokens <= most;
  });
}

}  // namespace quern::align
