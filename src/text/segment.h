// A stretch of text between added tokens on its way through the pipeline, and the edits that change it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::text {

// Half-open range of byte positions. Texts are limited to 4 GiB (Tokenizer checks).
struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;
  bool operator==(const Span&) const = default;
};

// Rewrites a text from left to right. Remembers where every byte came from only when asked.
class Edit {
 public:
  // `head`: bytes at the start of `source` that came from the very first character of the input. Throws
  // Exception(invalid_argument) when the result grows past `limit` bytes.
  Edit(std::string_view source, uint32_t head, bool track, size_t limit)
      : source_(source), head_(head), track_(track), limit_(limit) {}

  // The source up to `end` stays as it is.
  void keep(uint32_t end);
  // Each byte of the source up to `end` becomes that of `table`. Precondition: they are ASCII.
  void map_ascii(uint32_t end, const std::array<char, 128>& table);
  // The source up to `end` becomes `text` (empty: is removed).
  void replace(uint32_t end, std::string_view text);
  // `text` is put in here.
  void insert(std::string_view text) { replace(at_, text); }

  // Position in the source reached so far, and length of the result so far.
  uint32_t position() const { return at_; }
  uint32_t length() const { return static_cast<uint32_t>(result_.size()); }

 private:
  friend class Segment;
  std::string_view source_;
  uint32_t head_;
  uint32_t result_head_ = 0;
  bool track_;
  size_t limit_;
  uint32_t at_ = 0;
  std::string result_;
  std::vector<Span> origins_;  // one per byte of result_, empty unless tracked
};

// Text plus the pieces it is split into. Starts as a view of the original and owns a copy only once edited.
class Segment {
 public:
  // `offset`: position of `text` in the original input. `track`: keep the origin of every byte, for offsets.
  Segment(std::string_view text, uint32_t offset, bool track)
      : text_(text),
        offset_(offset),
        head_(offset == 0 ? first_character_length(text) : 0),
        limit_(limit_for(text)),
        track_(track),
        pieces_{{0, static_cast<uint32_t>(text.size())}} {}
  // The part of `whole` between two positions of its text; `whole` must outlive it.
  Segment(const Segment& whole, Span part);
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  std::string_view text() const { return text_; }
  uint32_t offset() const { return offset_; }
  // Bytes at the start of text() that came from the first character of the input; 0 when that was removed or
  // lies outside this segment.
  uint32_t head() const { return head_; }
  std::string_view view(Span piece) const { return text_.substr(piece.begin, piece.end - piece.begin); }

  // Pieces in order, not overlapping; bytes between pieces were removed by a pre-tokenizer.
  const std::vector<Span>& pieces() const { return pieces_; }
  void set_pieces(std::vector<Span> pieces) { pieces_ = std::move(pieces); }

  // Whether the origin of every byte is kept.
  bool tracked() const { return track_; }

  Edit edit() const { return {text_, head_, track_, limit_}; }
  // Takes the edited text; everything becomes one piece again unless pieces are given.
  void apply(Edit edit);
  void apply(Edit edit, std::vector<Span> pieces);

  // Where the bytes [piece.begin, piece.end) of text() stood in the original input. Precondition: tracked.
  Span origin_of(Span piece) const;

 private:
  // A file whose rules double the text again and again must not eat the memory.
  static size_t limit_for(std::string_view original) { return original.size() * 64 + (size_t{1} << 20); }

  static uint32_t first_character_length(std::string_view text);

  std::string_view text_;
  std::string owned_;
  uint32_t offset_;
  uint32_t head_;
  size_t limit_;
  bool track_;
  std::vector<Span> pieces_;
  std::vector<Span> origins_;  // empty while text() is the original
};

}  // namespace quern::text
