#include "encoding/csv_rows.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "data/byte_source.h"

namespace quern::encoding {

namespace {

constexpr size_t kMostCsvBytes = size_t{1} << 30;
constexpr std::string_view kCsvByteOrderMark = "\xEF\xBB\xBF";

Result<std::string> read_all(const std::filesystem::path& path) {
  QUERN_TRY(const std::unique_ptr<data::ByteSource> source, data::ByteSource::open(path));
  std::string text, buffer(size_t{1} << 18, '\0');
  for (;;) {
    QUERN_TRY(const size_t count, source->read({buffer.data(), buffer.size()}));
    if (count == 0) break;
    text.append(buffer, 0, count);
    if (text.size() > kMostCsvBytes) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("{}: more than {} bytes of values", path.string(), kMostCsvBytes),
                        "JSONL has no such limit");
    }
  }
  if (text.starts_with(kCsvByteOrderMark)) text.erase(0, kCsvByteOrderMark.size());
  return text;
}

// Cuts a text into rows of values.
class CsvCursor {
 public:
  CsvCursor(std::string_view text, char separator) : text_(text), separator_(separator) {}

  bool ended() const { return at_ == text_.size(); }
  int64_t line() const { return line_; }
  // Empty for a blank line. Otherwise what is wrong with the row, or nothing.
  std::string next(std::vector<std::string>& values) {
    values.clear();
    for (;;) {
      std::string& value = values.emplace_back();
      if (separator_ == ',' && !ended() && text_[at_] == '"') {
        if (const char* wrong = quoted(value)) return wrong;
      } else {
        while (!ended() && text_[at_] != separator_ && text_[at_] != '\n') value += text_[at_++];
        if ((ended() || text_[at_] == '\n') && value.ends_with('\r')) value.pop_back();
      }
      if (!ended() && text_[at_] == separator_) {
        ++at_;
        continue;
      }
      if (!ended()) ++at_;
      ++line_;
      if (values.size() == 1 && values[0].empty()) values.clear();
      return {};
    }
  }

 private:
  const char* quoted(std::string& value) {
    for (++at_; !ended(); ++at_) {
      line_ += text_[at_] == '\n';
      if (text_[at_] != '"') {
        value += text_[at_];
        continue;
      }
      ++at_;
      if (ended() || text_[at_] != '"') break;
      value += '"';
    }
    if (ended() && (text_.empty() || text_.back() != '"')) return "a quote that does not end";
    if (!ended() && text_[at_] == '\r') ++at_;
    if (!ended() && text_[at_] != separator_ && text_[at_] != '\n') return "text after a quote";
    return nullptr;
  }

  std::string_view text_;
  char separator_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

Result<void> read_csv(
    const std::filesystem::path& path, char separator,
    const std::function<Result<void>(const nlohmann::ordered_json& row, int64_t line)>& take) {
  QUERN_TRY(const std::string text, read_all(path));
  CsvCursor cursor(text, separator);
  std::vector<std::string> names, values;
  while (!cursor.ended()) {
    const int64_t line = cursor.line();
    std::string wrong = cursor.next(values);
    if (values.empty()) continue;
    if (wrong.empty() && !names.empty() && values.size() != names.size())
      wrong = fmt::format("{} values, expected {}", values.size(), names.size());
    if (!wrong.empty()) {
      return make_error(
          ErrorCode::corrupt, fmt::format("{}:{}: {}", path.string(), line, wrong),
          "expected values separated by commas, in quotes where they hold any, under a row of names");
    }
    if (names.empty()) {
      names = values;
      continue;
    }
    nlohmann::ordered_json row;
    for (size_t i = 0; i < names.size(); ++i) row[names[i]] = values[i];
    QUERN_CHECK(take(row, line));
  }
  return {};
}

}  // namespace quern::encoding
