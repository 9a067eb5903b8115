// What a model of the synthetic world is tuned on after it has read plain documents: conversations to answer like, answers of
// which one is preferred, sums whose results can be checked; and the held-out questions that judge every stage.
//
//   conversations.jsonl       {"messages": [...]}: right answers in every manner (manners.h), a third each
//   preferences.jsonl         {"prompt", "chosen", "rejected"}: a whole right answer, and a curt, rambling or wrong one
//   sums/train.jsonl          {"prompt", "answer"}: sums.h
//   sums/validation.jsonl     the same of pairs of numbers that no other file has
//   questions.jsonl           {"prompt", "answer", "curt", "kind"} about scenes, facts and numbers that no other file has
//   report.json               how many there are, and how many held-out prompts stand in the others: 0
//
// Equal options give equal bytes on every machine.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "data/synth/facts.h"

namespace quern::data::synth {

struct LessonOptions {
  int64_t conversations = 20000;
  int64_t preferences = 4000;
  int64_t sums = 4000;
  int64_t questions = 500;  // held out, at most: duplicates are dropped
  int64_t held_out_sums = 300;
  uint64_t seed = 1;
};

// Pure functions of their arguments, of the training side.
nlohmann::ordered_json make_conversation(uint64_t seed, uint64_t index);  // {"role", "content"} each
struct PreferencePair {
  std::string prompt, chosen, rejected;
};
PreferencePair make_preference(uint64_t seed, uint64_t index);

struct LessonReport {
  LessonOptions written;     // with as many questions and sums as there are
  int64_t seen_prompts = 0;  // held-out prompts that a user says in what is learnt
};
nlohmann::ordered_json as_json(const LessonReport& report);

// invalid_argument for counts below 1; io.
Result<LessonReport> write_lessons(const std::string& folder, const LessonOptions& options,
                                   Progress& progress = null_progress());

// A row of questions.jsonl here or of a corpus; nullopt for what is none.
std::optional<Question> read_question(const nlohmann::ordered_json& row);

}  // namespace quern::data::synth
