#include "base/text_table.h"

#include <algorithm>

#include "base/exception.h"
#include "base/terminal.h"

namespace quern {

size_t display_width(std::string_view utf8) {
  return static_cast<size_t>(
      std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

TextTable::TextTable(std::vector<std::string> headers) : headers_(std::move(headers)) {
  for (std::string& header : headers_) {
    right_.push_back(header.starts_with('>'));
    if (right_.back()) header.erase(0, 1);
  }
}

void TextTable::add(std::vector<std::string> cells) {
  if (cells.size() != headers_.size()) {
    throw InternalError("TextTable: expected " + std::to_string(headers_.size()) + " cells, got " +
                        std::to_string(cells.size()));
  }
  for (std::string& cell : cells) cell = terminal::without_controls(cell);
  rows_.push_back(std::move(cells));
}

std::string TextTable::to_string(int indent) const {
  std::vector<size_t> widths;
  for (size_t column = 0; column < headers_.size(); ++column) {
    size_t width = display_width(headers_[column]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[column]));
    widths.push_back(width);
  }
  std::string out;
  const auto write_row = [&](const std::vector<std::string>& cells) {
    std::string line(static_cast<size_t>(indent), ' ');
    for (size_t column = 0; column < cells.size(); ++column) {
      const std::string padding(widths[column] - display_width(cells[column]), ' ');
      if (column > 0) line += "  ";
      line += right_[column] ? padding + cells[column] : cells[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  const bool has_header = !std::ranges::all_of(headers_, &std::string::empty);
  if (has_header) {
    write_row(headers_);
    std::vector<std::string> rules;
    for (const size_t width : widths) rules.emplace_back(width, '-');
    write_row(rules);
  }
  for (const auto& row : rows_) write_row(row);
  return out;
}

}  // namespace quern
