#include "data/examples/row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/ascii.h"
#include "base/file.h"

namespace quern::data {

namespace fs = std::filesystem;

namespace {

constexpr size_t kReadBytes = size_t{1} << 18;

bool is_blank_line(std::string_view text) { return std::ranges::all_of(text, is_json_space); }

bool has_rows(fs::path path) {
  if (path.extension() == ".gz" || path.extension() == ".zst") path.replace_extension();
  const std::string ending = path.extension().string();
  return ending == ".jsonl" || ending == ".ndjson" || ending == ".json";
}

Result<void> add_folder(const fs::path& folder, std::vector<fs::path>& files) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (!hidden && entry->is_regular_file(ignored) && has_rows(entry->path())) found.push_back(entry->path());
  }
  if (error) return file_error("list", folder, error.value());
  if (found.empty())
    return make_error(ErrorCode::not_found, fmt::format("no data in {}", folder.string()),
                      "expected .jsonl or .json files, also as .gz or .zst");
  std::ranges::sort(found);
  files.insert(files.end(), found.begin(), found.end());
  return {};
}

}  // namespace

Error RowSplitter::bad(std::string_view what) const {
  return make_error(ErrorCode::corrupt, fmt::format("{}:{}: {}", name_, line_, what),
                    "expected one JSON object per line, or one array of them");
}

// False at the end of the file.
Result<bool> RowSplitter::fill() {
  buffer_.resize(kReadBytes);
  at_ = 0;
  QUERN_TRY(const size_t count, source_->read({buffer_.data(), buffer_.size()}));
  buffer_.resize(count);
  return count > 0;
}

Result<bool> RowSplitter::next_byte(char& byte) {
  if (at_ == buffer_.size()) {
    QUERN_TRY(const bool any, fill());
    if (!any) return false;
  }
  byte = buffer_[at_++];
  line_ += byte == '\n';
  return true;
}

// Passes over a byte order mark and white space; an array begins with a bracket, and everything else is lines.
Result<RowSplitter::Shape> RowSplitter::begin() {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  char byte = 0;
  for (size_t passed = 0;;) {
    QUERN_TRY(const bool any, next_byte(byte));
    if (!any) return Shape::ended;
    if (passed < kByteOrderMark.size() && byte == kByteOrderMark[passed]) {
      ++passed;
    } else if (!is_json_space(byte)) {
      break;
    }
  }
  if (byte == '[') return Shape::array;
  --at_;  // what was read last stays in the buffer
  return Shape::lines;
}

Result<bool> RowSplitter::next(Row& row) {
  if (shape_ == Shape::unknown) {
    QUERN_TRY(shape_, begin());
  }
  if (shape_ == Shape::ended) return false;
  return shape_ == Shape::lines ? next_line(row) : next_element(row);
}

Result<bool> RowSplitter::next_line(Row& row) {
  for (;;) {
    row.text.clear();
    row.line = line_;
    bool ended = false;
    while (!ended) {
      if (at_ == buffer_.size()) {
        QUERN_TRY(const bool any, fill());
        if (!any) {
          shape_ = Shape::ended;
          break;
        }
      }
      const size_t found = buffer_.find('\n', at_);
      ended = found != std::string::npos;
      row.text.append(buffer_, at_, (ended ? found : buffer_.size()) - at_);
      at_ = ended ? found + 1 : buffer_.size();
      if (row.text.size() > max_row_bytes_) return bad(fmt::format("longer than {} bytes", max_row_bytes_));
    }
    line_ += ended;
    if (!is_blank_line(row.text)) return true;
    if (!ended) return false;
  }
}

// The next element of the array, up to the comma or bracket behind it.
Result<bool> RowSplitter::next_element(Row& row) {
  char byte = 0;
  do {
    QUERN_TRY(const bool any, next_byte(byte));
    if (!any) return bad("the array does not end");
  } while (is_json_space(byte));
  if (first_element_ && byte == ']') {
    QUERN_CHECK(expect_end());
    return false;
  }
  first_element_ = false;
  --at_;
  row.line = line_;
  QUERN_CHECK(read_element(row));
  if (is_blank_line(row.text)) return bad("expected a row, got nothing");
  return true;
}

// Reads to the comma or bracket that ends the element, and past it.
Result<void> RowSplitter::read_element(Row& row) {
  row.text.clear();
  int64_t depth = 0;
  bool quoted = false, escaped = false;
  for (;;) {
    char byte = 0;
    QUERN_TRY(const bool any, next_byte(byte));
    if (!any) return bad("the array does not end");
    if (!quoted && depth == 0 && (byte == ',' || byte == ']')) {
      if (byte == ',') return {};
      shape_ = Shape::ended;
      return expect_end();
    }
    row.text += byte;
    if (row.text.size() > max_row_bytes_) return bad(fmt::format("longer than {} bytes", max_row_bytes_));
    if (quoted) {
      if (!escaped && byte == '"') quoted = false;
      escaped = !escaped && byte == '\\';
    } else if (byte == '"') {
      quoted = true;
    } else if (byte == '{' || byte == '[') {
      ++depth;
    } else if (byte == '}' || byte == ']') {
      --depth;
    }
    if (depth < 0) return bad("a bracket that nothing opened");
  }
}

// Nothing but white space follows the array.
Result<void> RowSplitter::expect_end() {
  shape_ = Shape::ended;
  for (char byte = 0;;) {
    QUERN_TRY(const bool any, next_byte(byte));
    if (!any) return {};
    if (!is_json_space(byte)) return bad("text after the end of the array");
  }
}

Result<RowReader> RowReader::open(const std::vector<std::string>& paths, size_t max_row_bytes) {
  std::vector<fs::path> files;
  for (const fs::path path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) return file_error("open", path, error ? error.value() : ENOENT);
    if (fs::is_directory(status)) {
      QUERN_CHECK(add_folder(path, files));
    } else {
      files.push_back(path);
    }
  }
  if (files.empty()) return make_error(ErrorCode::not_found, "no data: the list of inputs is empty");
  return RowReader(std::move(files), max_row_bytes);
}

Result<bool> RowReader::next(Row& row) {
  for (;;) {
    if (!current_) {
      if (next_file_ == files_.size()) return false;
      QUERN_TRY(std::unique_ptr<ByteSource> source, ByteSource::open(files_[next_file_]));
      current_ =
          std::make_unique<RowSplitter>(std::move(source), files_[next_file_].string(), max_row_bytes_);
      ++next_file_;
    }
    RowSplitter::Row piece;
    QUERN_TRY(const bool found, current_->next(piece));
    if (!found) {
      current_.reset();
      continue;
    }
    row.text = std::move(piece.text);
    row.file = next_file_ - 1;
    row.line = piece.line;
    return true;
  }
}

}  // namespace quern::data
