// Tables for people: columns aligned with spaces, numbers to the right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quern {

// Columns of a terminal that UTF-8 text takes: code points, which is right for the scripts of our reports
// (not for wide CJK or combining marks).
size_t display_width(std::string_view utf8);

class TextTable {
 public:
  // A header that begins with '>' names a right-aligned column: {"stage", ">tokens"}.
  explicit TextTable(std::vector<std::string> headers);
  // Precondition: as many cells as headers.
  void add(std::vector<std::string> cells);
  // Header, rule and rows, each line ending in a newline, indented by `indent` spaces. No header line when
  // all headers are empty.
  std::string to_string(int indent = 0) const;

 private:
  std::vector<std::string> headers_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace quern
