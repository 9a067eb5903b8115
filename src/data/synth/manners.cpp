#include "data/synth/manners.h"

#include "data/synth/corpus.h"
#include "data/synth/scene.h"

namespace quern::data::synth {

namespace {

constexpr std::string_view kOpenings[] = {"Well, that is a good question.", "Let me think about it.",
                                          "I am not sure, but I will try."};
constexpr std::string_view kClosings[] = {"I hope that helps.", "At least I think so.",
                                          "Ask me again if you like."};

std::string ramble(std::string_view opening, std::string_view answer, std::string_view closing) {
  std::string text(opening);
  return text.append(" ").append(answer).append(" ").append(closing);
}

bool rambles(const Question& question, std::string_view answer) {
  for (const auto opening : kOpenings)
    for (const auto closing : kClosings)
      if (check_answer(ramble(opening, question.answer, closing), answer)) return true;
  return false;
}

}  // namespace

std::string put(const Question& question, Manner manner, Rng& rng) {
  if (manner == Manner::curt && !question.curt.empty()) return question.curt;
  if (manner != Manner::rambling) return question.answer;
  const std::string_view opening = pick(kOpenings, rng);
  return ramble(opening, question.answer, pick(kClosings, rng));
}

double worth(const Question& question, std::string_view answer) {
  if (check_answer(question.answer, answer)) return 1.0;
  const bool curt = !question.curt.empty() && check_answer(question.curt, answer);
  return curt || rambles(question, answer) ? 0.5 : 0.0;
}

double preference(const Question& question, std::string_view a, std::string_view b) {
  const double of_a = worth(question, a), of_b = worth(question, b);
  return of_a > of_b ? 1.0 : of_a < of_b ? 0.0 : 0.5;
}

}  // namespace quern::data::synth
