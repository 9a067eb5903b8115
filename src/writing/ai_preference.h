// AI preferences (the second stage of Constitutional AI, arXiv 2212.08073): a model gives two answers, and a model says by a drawn
// principle which is better, asked in both orders, since models favour one of the places.
#pragma once

#include <string>
#include <vector>

#include "align/prompts.h"
#include "writing/constitution.h"
#include "writing/respondent.h"

namespace quern::writing {

struct PreferenceOptions {
  AskOptions how;              // of answers
  bool cut_off = false;        // judge answers, too, that max_tokens ended
  double tie = 0.05;           // how far the probability must be from 1/2
  double least_choice = 0.01;  // the probability that a letter is said at all, in either order
};

// One prompt with its two answers, and what was said of them.
struct Compared {
  std::string answers[2];
  std::string principle;
  double first = 0.5;             // the probability that the first is better: the mean of both orders
  double orders[2] = {0.5, 0.5};  // the same, as the first stood at A, and at B
  // Why it is left out; nothing where it is kept: "refused", "cut_off", "empty", "equal" (both answers are the same), "no_choice" (the
  // judge says no letter), "inconsistent" (the orders disagree), "tie".
  std::string reason, what;

  bool kept() const { return reason.empty(); }
  int chosen() const { return first > 0.5 ? 0 : 1; }
  // That the chosen one is better.
  double probability() const { return first > 0.5 ? first : 1.0 - first; }
};

// `prompts` [begin, end): `model` gives the answers, `judge` compares them; one may be the other. The constitution has preferences.
Result<std::vector<Compared>> compare(const align::PromptSet& prompts, int64_t begin, int64_t end,
                                      const Constitution& constitution, const PreferenceOptions& options,
                                      Respondent& model, Respondent& judge);

// What the judge is asked: the conversation, the principle, and the answers at the letters A and B.
std::string ask_which(const nlohmann::ordered_json& prompt, const Principle& principle, const std::string& a,
                      const std::string& b);

// What the probabilities of the letters A and B in both orders say: at first[0] the first answer stood at A, at second[0] the second one
// did. Sets first, orders, reason and what.
void weigh(const std::vector<double>& first, const std::vector<double>& second,
           const PreferenceOptions& options, Compared& compared);

}  // namespace quern::writing
