// Answers of a model to a file of prompts, as rows to tune another on: `quern data answer`. Sequence-level distillation (Kim
// and Rush 2016, arXiv 1606.07947) learns them as they are; with rewards, rejection sampling and best-of-n.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/config.h"
#include "base/progress.h"
#include "base/result.h"
#include "recipes/reinforcement.h"
#include "recipes/respondents.h"

namespace quern::recipes {

// Which of the answers to a prompt are written.
enum class KeptAnswers { all, best };

struct AnswerConfig {
  RespondentConfig who;
  std::string prompts;  // rows as align::PromptSet reads them
  std::string out;      // folder
  int64_t samples = 1;  // answers drawn for each prompt
  KeptAnswers keep = KeptAnswers::all;
  double least_reward = 0.0;       // answers worth less are left out,
  bool has_least_reward = false;   // where somebody said so
  bool cut_off = false;            // write answers that the limit of tokens ended
  bool texts_as_messages = false;  // of endpoints, which know nothing else, always
  writing::AskOptions how;
  RewardsConfig rewards;

  void fields(Fields& f);
  // What single fields cannot.
  Result<void> finish(const Fields& loaded);
};

struct AnswerReport {
  int64_t prompts = 0, answers = 0, written = 0;
  int64_t cut_off = 0;     // of the answers: ended by the limit of tokens
  int64_t empty = 0;       // of the answers: without text, never written
  int64_t unanswered = 0;  // prompts of which no answer was written
  int64_t refused = 0;     // of the answers: not given, because the endpoint refused the question
  std::string first_refusal = {};
  double tokens = 0.0;       // of an answer, on average
  double reward = 0.0;       // on average: of all answers,
  double kept_reward = 0.0;  // and of those written
  bool rewarded = false;
  bool complete = true;  // false: interrupted, to go on with `resume`
};
nlohmann::ordered_json summary_of(const AnswerReport& report);

// Writes OUT/answers.jsonl, rows {"prompt", "completion"} that `quern data prepare` reads, with "reward" where there are
// rewards, and OUT/answer.json (settings and figures). What is drawn is a function of weights, prompts and settings; a run that
// is interrupted goes on with `resume` to the same bytes, and asks nothing again that was answered. `config` must be finished.
// conflict where OUT has answers already, or part of those of other settings; errors of PromptSet::read, the respondent and the
// rewards.
Result<AnswerReport> answer(const AnswerConfig& config, bool resume, bool overwrite, Progress& progress);

}  // namespace quern::recipes
