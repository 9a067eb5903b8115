// From rows to examples that a run learns from: reads files in any of the known forms, checks, renders and tokenizes each
// row, holds a share out, and accounts for every row that is left out.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "data/examples/example.h"
#include "data/examples/example_renderer.h"
#include "data/examples/read_example.h"
#include "data/token_dataset.h"

namespace quern::data {

// What becomes of rows that cannot be learnt as they are. None is ever left out without being counted and listed.
enum class BadRows { drop, refuse };
enum class TooLong { drop, truncate, refuse };
enum class Duplicates { drop, keep, refuse };

enum class PreparedForm {
  tokens,  // train.tokens, validation.tokens: TokenDataset::open
  jsonl,   // train.jsonl, validation.jsonl: rows as to_json() writes them
};

struct PreparationOptions {
  std::vector<std::string> inputs;
  ExampleOptions reader;
  int64_t max_length = 1024;  // tokens
  BadRows bad_rows = BadRows::drop;
  TooLong too_long = TooLong::drop;
  Duplicates duplicates = Duplicates::drop;
  // Of the examples, on average: those with some prompts, whatever stands around them, so that no prompt is on both
  // sides.
  double validation = 0.0;
  uint64_t seed = 0;
  PreparedForm form = PreparedForm::tokens;
  int64_t samples = 8;  // kept for people to look at
  std::string folder;
};

// A row that is left out.
struct RefusedRow {
  size_t file = 0;  // index into PreparationReport::files
  int64_t line = 0;
  Refusal refusal;
};

struct PreparedSide {
  std::filesystem::path path;
  int64_t examples = 0;
  int64_t tokens = 0;
  int64_t learnt = 0;  // of them
};

struct LearntSample {
  size_t file = 0;
  int64_t line = 0;
  std::vector<std::vector<std::string>> documents;  // learnt_runs() of each
};

struct PreparationReport {
  std::vector<std::filesystem::path> files;
  std::vector<int64_t> rows;  // of each file
  TokenContent content = TokenContent::supervised;
  PreparedSide train, validation;
  int64_t truncated = 0;
  std::array<int64_t, kFaults> faults{};  // rows left out, by Fault
  std::vector<RefusedRow> refused;        // the first of them; OUT/refused.jsonl lists all
  std::vector<int64_t> lengths;  // of sequences that are kept: [i] of at least 2^i and below 2^(i + 1) tokens
  int64_t longest = 0;           // sequence, kept or not
  std::vector<LearntSample> samples;

  int64_t row_count() const;
  int64_t refused_count() const;
};

inline constexpr size_t kListedRefusals = 1000;

// Writes the examples into options.folder, in the order of the rows; works on all threads, and the result does not
// depend on how many. Errors: those of RowReader; invalid_argument, naming file and line, for a row that the options
// refuse, and when no example is left; io.
Result<PreparationReport> prepare_examples(const PreparationOptions& options, const ExampleRenderer& renderer,
                                           Progress& progress = null_progress());

}  // namespace quern::data
