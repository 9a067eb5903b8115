// The rows of data files, one after another: the lines of JSONL, or the elements of one JSON array, told apart by how
// the file begins; also as .gz or .zst. Memory is bounded by the longest row, of arrays too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/byte_source.h"

namespace quern::data {

inline constexpr size_t kMaxRowBytes = size_t{64} << 20;

// The rows of one file. Not thread-safe.
class RowSplitter {
 public:
  // `name` names the file in errors.
  RowSplitter(std::unique_ptr<ByteSource> source, std::string name, size_t max_row_bytes)
      : source_(std::move(source)), name_(std::move(name)), max_row_bytes_(max_row_bytes) {}

  struct Row {
    std::string
        text;  // not blank; of an array, balanced brackets and quotes, and otherwise whatever stands there
    int64_t line = 1;  // where it begins, counted from 1
  };
  // False at the end of the file. corrupt for an array that does not end, text around it and rows longer than the limit;
  // what ByteSource::read gives.
  Result<bool> next(Row& row);

 private:
  enum class Shape { unknown, lines, array, ended };
  Result<bool> fill();
  Result<bool> next_byte(char& byte);
  Result<Shape> begin();
  Result<bool> next_line(Row& row);
  Result<bool> next_element(Row& row);
  Result<void> read_element(Row& row);
  Result<void> expect_end();
  Error bad(std::string_view what) const;

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  size_t max_row_bytes_;
  std::string buffer_;
  size_t at_ = 0;
  int64_t line_ = 1;
  Shape shape_ = Shape::unknown;
  bool first_element_ = true;
};

// The rows of files and folders (.jsonl, .ndjson, .json, and these with .gz or .zst, in the order of their names). Not
// thread-safe.
class RowReader {
 public:
  // not_found when a path does not exist or a folder has no such file.
  static Result<RowReader> open(const std::vector<std::string>& paths, size_t max_row_bytes = kMaxRowBytes);

  struct Row {
    std::string text;
    size_t file = 0;  // index into files()
    int64_t line = 1;
  };
  // False when all are read. Errors of RowSplitter::next.
  Result<bool> next(Row& row);
  const std::vector<std::filesystem::path>& files() const { return files_; }

 private:
  RowReader(std::vector<std::filesystem::path> files, size_t max_row_bytes)
      : files_(std::move(files)), max_row_bytes_(max_row_bytes) {}

  std::vector<std::filesystem::path> files_;
  size_t max_row_bytes_;
  size_t next_file_ = 0;
  std::unique_ptr<RowSplitter> current_;
};

}  // namespace quern::data
