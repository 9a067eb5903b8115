// Answers that a model revises by principles, and pairs of answers that it judges by them: `quern data critique`.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/config.h"
#include "base/progress.h"
#include "base/result.h"
#include "recipes/respondents.h"
#include "writing/ai_preference.h"
#include "writing/critique.h"

namespace quern::recipes {

struct CritiqueConfig {
  RespondentConfig who;
  OtherRespondentConfig judge;  // who says which answer is better; no model: who gave them
  std::string prompts;          // rows as align::PromptSet reads them
  std::string constitution;     // as writing::read_constitution reads it
  std::string out;              // folder
  bool preferences = false;     // pairs in place of revisions
  int64_t context = 2048;
  writing::CritiqueOptions revisions;     // its `how` is that of both
  writing::PreferenceOptions comparison;  // and `cut_off`, too

  void fields(Fields& f);
  // What single fields cannot.
  Result<void> finish(const Fields& loaded);
};

struct CritiqueReport {
  int64_t prompts = 0, written = 0;
  int64_t unchanged = 0;                     // of the rows: the last revision is the initial answer
  double probability = 0.0;                  // of pairs: the mean, of the one that was chosen
  std::map<std::string, int64_t> reasons;    // why prompts have no row
  std::map<std::string, std::string> first;  // of each: the first, for people
  nlohmann::ordered_json sample;             // the first row
  bool preferences = false;
  bool interrupted = false;  // to go on with `resume`
};
nlohmann::ordered_json summary_of(const CritiqueReport& report);

// Writes OUT/revised.jsonl, rows {"prompt", "completion"} with the last revision, and "initial" and "revisions" beside it; or with
// `preferences` OUT/preferences.jsonl, rows {"prompt", "chosen", "rejected", "margin", "probability", "principle"}: both are read by
// `quern data prepare`. OUT/left_out.jsonl has the other prompts, each with the reason. Reproducible and resumed as instruct().
// conflict as AskedRun::open; errors of PromptSet::read, read_constitution and the respondents; unsupported for a model without a chat
// template.
Result<CritiqueReport> critique(const CritiqueConfig& config, bool resume, bool overwrite,
                                Progress& progress);

}  // namespace quern::recipes
