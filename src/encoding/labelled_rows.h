// Rows of labelled data: JSON objects from JSONL, a JSON array, CSV or TSV, and the account of those that are refused.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/examples/example.h"

namespace quern::encoding {

using Row = nlohmann::ordered_json;

// Rows that are left out, counted and listed: `what` is one line of JSON for each, as `quern data prepare` writes them.
struct RefusedRows {
  std::array<int64_t, data::kFaults> faults{};
  std::string lines;

  int64_t count() const;
  // "3 missing_field, 1 bad_value"
  std::string summary() const;
};

struct RowOptions {
  // Fields under other names: theirs, and the one known here.
  std::map<std::string, std::string> renamed = {};
  double validation = 0.0;  // share held out of a file that has none beside it, by a hash of the rows
  uint64_t seed = 0;
};

struct LabelledRow {
  Row fields;
  std::string place;  // "train.jsonl:12"
  std::filesystem::path file;
  int64_t line = 0;
};

struct LabelledRows {
  std::vector<LabelledRow> train, validation;
  uint64_t key = 0;  // of the files and what was made of them
  int64_t count = 0;
};

// Of a file, or of a folder with train.* and, if it likes, validation.*, each .jsonl, .json, .csv or .tsv. Rows that are no
// JSON object are refused. not_found where there is no such file; errors of RowReader and read_csv; invalid_argument for
// no rows at all.
Result<LabelledRows> read_labelled_rows(const std::filesystem::path& path, const RowOptions& options,
                                        RefusedRows& refused);

// Notes that `row` is left out.
void refuse(RefusedRows& refused, const LabelledRow& row, const data::Refusal& refusal);

// The fields "theirs=ours", ... ; invalid_argument for anything else.
Result<std::map<std::string, std::string>> parse_renamed(const std::vector<std::string>& pairs);

// The first of these fields that the row has, and is not null; null: none of them.
const Row* find_field(const Row& row, std::initializer_list<const char*> fields);
// A text, repaired where it is not UTF-8, that says something.
data::Refusal read_text(const Row& row, std::initializer_list<const char*> fields, std::string& text);
// A number, or a text that is one.
data::Refusal read_number(const Row& row, std::initializer_list<const char*> fields, double& number);

}  // namespace quern::encoding
