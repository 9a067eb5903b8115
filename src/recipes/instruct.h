// Tasks that a model writes, as rows to tune one on: `quern data instruct`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/config.h"
#include "base/progress.h"
#include "base/result.h"
#include "recipes/respondents.h"
#include "writing/self_instruct.h"

namespace quern::recipes {

struct InstructConfig {
  RespondentConfig who;
  std::string seeds;  // rows as writing::read_seed_tasks reads them
  std::string out;    // folder
  int64_t context = 2048;
  writing::InstructOptions how;

  void fields(Fields& f);
  // What single fields cannot.
  Result<void> finish(const Fields& loaded) const { return who.check(loaded); }
};

struct InstructReport {
  writing::InstructResult result;
  int64_t seeds = 0;
  bool interrupted = false;  // to go on with `resume`; nothing else is known then
};
nlohmann::ordered_json summary_of(const InstructReport& report);

// Writes OUT/instructions.jsonl, rows {"instruction", "input", "output"} that `quern data prepare` reads; OUT/left_out.jsonl with
// every task that was left out, and why; OUT/instructions.json with settings and figures. With a model on this machine it is a
// function of weights, seeds and settings; a run that is interrupted goes on with `resume` to the same bytes, and asks nothing again
// that was answered. conflict as AskedRun::open; errors of read_seed_tasks and the respondent; unsupported for a model without a
// chat template.
Result<InstructReport> instruct(const InstructConfig& config, bool resume, bool overwrite,
                                Progress& progress);

}  // namespace quern::recipes
