#include "encoding/labelled_rows.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <system_error>

#include "base/hash.h"
#include "base/json.h"
#include "data/examples/messages.h"
#include "data/examples/row_reader.h"
#include "data/split.h"
#include "encoding/csv_rows.h"
#include "text/unicode.h"

namespace quern::encoding {

namespace fs = std::filesystem;
using data::Fault;
using data::Refusal;

namespace {

constexpr const char* kEndings[] = {".jsonl", ".json", ".csv", ".tsv"};

std::optional<fs::path> find_file(const fs::path& folder, const std::string& stem) {
  std::error_code ignored;
  for (const char* ending : kEndings) {
    const fs::path path = folder / (stem + ending);
    if (fs::is_regular_file(path, ignored)) return path;
  }
  return std::nullopt;
}

class LabelledReader {
 public:
  LabelledReader(const RowOptions& options, RefusedRows& refused) : options_(options), refused_(refused) {}

  Result<void> read(const fs::path& path, std::vector<LabelledRow>& rows) {
    QUERN_TRY(const Hash128 hash, hash_file(path));
    hasher_.add(hash);
    const std::string ending = path.extension().string();
    if (ending == ".csv" || ending == ".tsv") {
      return read_csv(path, ending == ".csv" ? ',' : '\t', [&](const Row& row, int64_t line) -> Result<void> {
        add({row, fmt::format("{}:{}", path.string(), line), path, line}, rows);
        return {};
      });
    }
    QUERN_TRY(data::RowReader reader, data::RowReader::open({path.string()}));
    data::RowReader::Row text;
    for (;;) {
      QUERN_TRY(const bool any, reader.next(text));
      if (!any) return {};
      LabelledRow row{{}, fmt::format("{}:{}", path.string(), text.line), path, text.line};
      Result<Row> parsed = parse_ordered_json(text::repair_utf8(text.text).text, "row");
      if (parsed.ok() && parsed->is_object()) {
        row.fields = *std::move(parsed);
        add(std::move(row), rows);
      } else {
        ++count_;
        refuse(refused_, row, {Fault::not_json, parsed.ok() ? "expected an object" : parsed.error().message});
      }
    }
  }

  // Moves the share that is held out.
  void hold_out(LabelledRows& rows) {
    std::vector<LabelledRow> kept;
    for (LabelledRow& row : rows.train) {
      const bool out = data::held_out(
          row.fields.dump(-1, ' ', false, Row::error_handler_t::replace),
          {.mode = data::SplitMode::hash, .fraction = options_.validation, .seed = options_.seed});
      (out ? rows.validation : kept).push_back(std::move(row));
    }
    rows.train = std::move(kept);
  }

  uint64_t key() {
    for (const auto& [theirs, ours] : options_.renamed) hasher_.add(theirs).add(ours);
    hasher_.add(fmt::format("{}|{}", options_.validation, options_.seed));
    return hasher_.result().low;
  }
  int64_t count() const { return count_; }

 private:
  void add(LabelledRow row, std::vector<LabelledRow>& rows) {
    ++count_;
    for (const auto& [theirs, ours] : options_.renamed) {
      const auto found = row.fields.find(theirs);
      if (found != row.fields.end()) {
        Row value = *found;
        row.fields[ours] = std::move(value);
      }
    }
    rows.push_back(std::move(row));
  }

  const RowOptions& options_;
  RefusedRows& refused_;
  Hasher hasher_;
  int64_t count_ = 0;
};

}  // namespace

int64_t RefusedRows::count() const { return std::accumulate(faults.begin(), faults.end(), int64_t{0}); }

std::string RefusedRows::summary() const {
  std::string text;
  for (size_t i = 0; i < faults.size(); ++i) {
    if (faults[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", faults[i], name_of(static_cast<Fault>(i)));
  }
  return text;
}

void refuse(RefusedRows& refused, const LabelledRow& row, const Refusal& refusal) {
  ++refused.faults[static_cast<size_t>(refusal.fault)];
  const Row line = {{"file", row.file.string()},
                    {"line", row.line},
                    {"fault", name_of(refusal.fault)},
                    {"what", refusal.what}};
  refused.lines += line.dump(-1, ' ', false, Row::error_handler_t::replace) + "\n";
}

Result<std::map<std::string, std::string>> parse_renamed(const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> renamed;
  for (const std::string& pair : pairs) {
    const size_t at = pair.find('=');
    if (at == std::string::npos || at == 0 || at + 1 == pair.size()) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("rows.rename: expected theirs=ours, got '{}'", pair));
    }
    renamed[pair.substr(0, at)] = pair.substr(at + 1);
  }
  return renamed;
}

Result<LabelledRows> read_labelled_rows(const fs::path& path, const RowOptions& options,
                                        RefusedRows& refused) {
  std::error_code ignored;
  std::optional<fs::path> train(path), held_out;
  if (fs::is_directory(path, ignored)) {
    train = find_file(path, "train");
    held_out = find_file(path, "validation");
    if (!train) {
      return make_error(ErrorCode::not_found, fmt::format("no train.jsonl in {}", path.string()),
                        "expected train.jsonl and, if you like, validation.jsonl; also .json, .csv and .tsv");
    }
  }
  LabelledReader reader(options, refused);
  LabelledRows rows;
  QUERN_CHECK(reader.read(*train, rows.train));
  if (held_out) QUERN_CHECK(reader.read(*held_out, rows.validation));
  if (!held_out && options.validation > 0.0) reader.hold_out(rows);
  rows.key = reader.key();
  rows.count = reader.count();
  if (rows.train.empty()) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("{} has no rows to learn from", train->string()),
                      refused.count() > 0 ? refused.lines.substr(0, refused.lines.find('\n')) : "");
  }
  return rows;
}

const Row* find_field(const Row& row, std::initializer_list<const char*> fields) {
  for (const char* field : fields) {
    const auto found = row.find(field);
    if (found != row.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

Refusal read_text(const Row& row, std::initializer_list<const char*> fields, std::string& text) {
  const Row* const found = find_field(row, fields);
  if (!found) return {Fault::missing_field, *fields.begin()};
  if (!found->is_string()) return data::bad_value(*fields.begin(), "text", *found);
  text = found->get<std::string>();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return {Fault::bad_value, fmt::format("{}: an empty text", *fields.begin())};
  return {};
}

Refusal read_number(const Row& row, std::initializer_list<const char*> fields, double& number) {
  const Row* const found = find_field(row, fields);
  if (!found) return {Fault::missing_field, *fields.begin()};
  if (found->is_number()) {
    number = found->get<double>();
  } else {
    const std::string text = found->is_string() ? found->get<std::string>() : "";
    char* end = nullptr;
    number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return data::bad_value(*fields.begin(), "a number", *found);
  }
  if (!std::isfinite(number)) return data::bad_value(*fields.begin(), "a finite number", *found);
  return {};
}

}  // namespace quern::encoding
