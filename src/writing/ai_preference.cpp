#include "writing/ai_preference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/ascii.h"

namespace quern::writing {

namespace {

const std::vector<std::string> kLetters = {"A", "B"};

// A text, or the content of a message in OpenAI's parts.
std::string shown(const nlohmann::ordered_json& prompt) {
  if (prompt.is_string()) return fmt::format("user: {}\n", prompt.get_ref<const std::string&>());
  std::string text;
  for (const nlohmann::ordered_json& message : prompt) {
    const auto& content = message["content"];
    text += fmt::format("{}: {}\n", message["role"].get_ref<const std::string&>(),
                        content.is_string() ? content.get_ref<const std::string&>() : content.dump());
  }
  return text;
}

void leave_out(Compared& compared, std::string reason, std::string what) {
  compared.reason = std::move(reason);
  compared.what = std::move(what);
}

// Two answers to each prompt, side by side.
std::vector<Question> questions_of(const align::PromptSet& prompts, int64_t begin, int64_t end) {
  std::vector<Question> questions;
  for (int64_t i = begin; i < end; ++i)
    for (int64_t j = 0; j < 2; ++j)
      questions.push_back({prompts[i].asked, prompts[i].tools, static_cast<uint64_t>(2 * i + j)});
  return questions;
}

void take_answers(const Reply* replies, const PreferenceOptions& options, Compared& compared) {
  for (int j = 0; j < 2 && compared.kept(); ++j) {
    compared.answers[j] = std::string(trimmed(replies[j].text));
    if (!replies[j].refusal.empty()) {
      leave_out(compared, "refused", fmt::format("an answer: {}", replies[j].refusal));
    } else if (!replies[j].ended && !options.cut_off) {
      leave_out(compared, "cut_off", "an answer was cut off by max_tokens");
    } else if (compared.answers[j].empty()) {
      leave_out(compared, "empty", "an answer is empty");
    }
  }
  if (compared.kept() && compared.answers[0] == compared.answers[1])
    leave_out(compared, "equal", "both answers are the same");
}

}  // namespace

std::string ask_which(const nlohmann::ordered_json& prompt, const Principle& principle, const std::string& a,
                      const std::string& b) {
  return fmt::format(
      "This is a conversation between a user and an assistant:\n\n{}\nThe assistant may go on in one of two "
      "ways:\n\n"
      "(A) {}\n\n(B) {}\n\n{} Answer with one letter alone, A or B.",
      shown(prompt), a, b, principle.preference);
}

void weigh(const std::vector<double>& first, const std::vector<double>& second,
           const PreferenceOptions& options, Compared& compared) {
  const double mass = std::min(first[0] + first[1], second[0] + second[1]);
  if (mass < options.least_choice || mass <= 0.0) {
    return leave_out(compared, "no_choice",
                     fmt::format("the judge says A or B with probability {:.2g}, and {:.2g} is wanted", mass,
                                 options.least_choice));
  }
  compared.orders[0] = first[0] / (first[0] + first[1]);
  compared.orders[1] = second[1] / (second[0] + second[1]);
  compared.first = 0.5 * (compared.orders[0] + compared.orders[1]);
  const std::string orders = fmt::format("the first is better with probability {:.3f} at A, and {:.3f} at B",
                                         compared.orders[0], compared.orders[1]);
  if ((compared.orders[0] - 0.5) * (compared.orders[1] - 0.5) < 0.0) {
    leave_out(compared, "inconsistent", orders);
  } else if (std::fabs(compared.first - 0.5) < options.tie || compared.first == 0.5) {
    leave_out(compared, "tie", orders);
  }
}

Result<std::vector<Compared>> compare(const align::PromptSet& prompts, int64_t begin, int64_t end,
                                      const Constitution& constitution, const PreferenceOptions& options,
                                      Respondent& model, Respondent& judge) {
  QUERN_TRY(const std::vector<Reply> replies, model.ask(questions_of(prompts, begin, end), options.how));
  std::vector<Compared> all(static_cast<size_t>(end - begin));
  std::vector<Question> judged;
  std::vector<size_t> places;
  for (size_t i = 0; i < all.size(); ++i) {
    Compared& compared = all[i];
    take_answers(&replies[2 * i], options, compared);
    if (!compared.kept()) continue;
    const auto item = static_cast<uint64_t>(begin) + i;
    const Principle& principle = constitution.drawn_preference(options.how.seed, item);
    compared.principle = principle.name;
    const nlohmann::ordered_json& asked = prompts[static_cast<int64_t>(item)].asked;
    for (uint64_t order = 0; order < 2; ++order)
      judged.push_back(
          question(ask_which(asked, principle, compared.answers[order], compared.answers[1 - order]),
                   2 * item + order));
    places.push_back(i);
  }
  const AskOptions how = {.max_tokens = 1, .temperature = 0.0, .seed = options.how.seed, .choices = kLetters};
  QUERN_TRY(const std::vector<Reply> said, judge.ask(judged, how));
  for (size_t j = 0; j < places.size(); ++j) {
    Compared& compared = all[places[j]];
    const Reply &first = said[2 * j], &second = said[2 * j + 1];
    if (!first.refusal.empty() || !second.refusal.empty()) {
      leave_out(compared, "refused",
                fmt::format("the judge: {}", first.refusal.empty() ? second.refusal : first.refusal));
      continue;
    }
    weigh(first.choices, second.choices, options, compared);
  }
  return all;
}

}  // namespace quern::writing
