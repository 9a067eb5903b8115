#include "data/text_splitter.h"

#include <algorithm>

namespace quern::data {

namespace {

constexpr size_t kChunkBytes = size_t{1} << 18;

// Removes the CR of every CR LF in text[from, end).
void drop_returns(std::string& text, size_t from) {
  size_t out = from;
  for (size_t in = from; in < text.size(); ++in) {
    if (text[in] == '\r' && in + 1 < text.size() && text[in + 1] == '\n') continue;
    text[out++] = text[in];
  }
  text.resize(out);
}

// Where to cut text longer than the limit: after its last line end, else before the character that `limit`
// splits.
size_t cut_before(std::string_view text, size_t limit) {
  const size_t line_end = text.substr(0, limit).rfind('\n');
  if (line_end != std::string_view::npos) return line_end + 1;
  size_t cut = limit;
  while (cut > limit - 3 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return cut;
}

}  // namespace

// Appends what one read gives to the buffer, or sets finished_.
Result<void> TextSplitter::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t old = buffer_.size();
  if (held_return_) buffer_ += '\r';
  held_return_ = false;
  const size_t at = buffer_.size();
  buffer_.resize(at + kChunkBytes);
  QUERN_TRY(const size_t count, source_->read({buffer_.data() + at, kChunkBytes}));
  buffer_.resize(at + count);
  finished_ = count == 0;
  if (finished_) return {};
  if (!started_) {
    // The first read of a source may be short: a byte order mark is three bytes at most.
    while (buffer_.size() < 3) {
      char byte;
      QUERN_TRY(const size_t more, source_->read({&byte, 1}));
      if (more == 0) break;
      buffer_ += byte;
    }
    started_ = true;
    if (buffer_.starts_with("\xEF\xBB\xBF")) buffer_.erase(0, 3);
    if (buffer_.starts_with("\xFF\xFE") || buffer_.starts_with("\xFE\xFF"))
      return make_error(ErrorCode::unsupported, "the text is UTF-16, expected UTF-8",
                        "convert it: iconv -f UTF-16 -t UTF-8 FILE");
  }
  if (buffer_.ends_with('\r')) {
    held_return_ = true;
    buffer_.pop_back();
  }
  drop_returns(buffer_, std::min(old, buffer_.size()));
  return {};
}

Result<bool> TextSplitter::next(std::string_view separator, size_t limit, Piece& piece) {
  size_t searched = 0;
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    const size_t found = separator.empty() ? std::string_view::npos : rest.find(separator, searched);
    size_t length = rest.size(), passed = rest.size();
    piece.too_long = found == std::string_view::npos ? rest.size() > limit : found > limit;
    if (piece.too_long)
      length = passed = cut_before(rest, limit);
    else if (found != std::string_view::npos)
      length = found, passed = found + separator.size();
    else if (!finished_) {
      searched = rest.size() >= separator.size() ? rest.size() - separator.size() + 1 : 0;
      QUERN_CHECK(fill());
      continue;
    }
    if (passed == 0) return false;
    piece.text.assign(rest.substr(0, length));
    piece.line = line_;
    line_ += std::count(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(passed), '\n');
    begin_ += passed;
    return true;
  }
}

}  // namespace quern::data
