// Writes the synthetic corpus: train.jsonl, heldout.jsonl, questions.jsonl and report.json.
//
// The purpose: a transformer of a few million parameters, trained for minutes, learns to tell stories of this
// world and to answer questions about stories it has never seen. Rows are {"text": ...}, and for questions
// {"prompt", "answer", "kind"}, where the prompt is what a user says. Equal options give equal
// bytes on every machine.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "data/synth/facts.h"

namespace quern::data::synth {

struct CorpusOptions {
  int64_t documents = 60000;  // for training; one in 50 more is held out
  int64_t questions = 1000;   // at most: duplicates are dropped
  uint64_t seed = 1;
  bool plain = false;  // no conversations among the documents
};

// How much of the held-out part the training part gives away.
struct Overlap {
  int64_t documents = 0;   // held-out documents that are also training documents
  int64_t questions = 0;   // held-out prompts that a training user says
  double sentences = 0;    // share of held-out sentences seen word for word
  double eight_words = 0;  // share of held-out runs of eight words seen
};

struct CorpusReport {
  int64_t documents = 0, held_out = 0, questions = 0, bytes = 0, words = 0, vocabulary = 0;
  Overlap overlap;
};
nlohmann::ordered_json as_json(const CorpusReport& report);

// invalid_argument for counts below 1; io.
Result<CorpusReport> write_corpus(const std::string& folder, const CorpusOptions& options,
                                  Progress& progress = null_progress());

// The rows of a questions.jsonl; corrupt with the line that is not one.
Result<std::vector<Question>> read_questions(const std::string& path);

// Whether an answer is right: equal but for case, white space and a final period.
bool check_answer(std::string_view expected, std::string_view got);

}  // namespace quern::data::synth
