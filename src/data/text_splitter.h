// Cuts the text of one file at a separator while reading it in pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/byte_source.h"

namespace quern::data {

// Drops a UTF-8 byte order mark and turns CR LF into LF on the way. Not thread-safe.
class TextSplitter {
 public:
  explicit TextSplitter(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

  struct Piece {
    std::string text;       // without the separator
    int64_t line = 1;       // where it begins, counted from 1
    bool too_long = false;  // the limit ended it, not the separator
  };
  // The text up to the next `separator` (empty: the rest of the file), or up to `limit` bytes, then cut after
  // the last line end or at least between two characters. False at the end of the file. corrupt, io as
  // ByteSource; unsupported for UTF-16. Precondition: limit >= 4 and longer than the separator.
  Result<bool> next(std::string_view separator, size_t limit, Piece& piece);

 private:
  Result<void> fill();

  std::unique_ptr<ByteSource> source_;
  std::string buffer_;  // text read and not yet given out
  size_t begin_ = 0;    // ... from here on
  int64_t line_ = 1;
  bool started_ = false;      // the byte order mark has been looked for
  bool held_return_ = false;  // a CR ended the last read: its LF may begin the next
  bool finished_ = false;
};

}  // namespace quern::data
