#include "text/segment.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/exception.h"
#include "text/unicode.h"

namespace quern::text {

void Edit::keep(uint32_t end) {
  if (at_ < head_) result_head_ = length() + std::min(end, head_) - at_;
  result_.append(source_.substr(at_, end - at_));
  if (track_) {
    for (uint32_t i = at_; i < end; ++i) origins_.push_back({i, i + 1});
  }
  at_ = end;
}

void Edit::map_ascii(uint32_t end, const std::array<char, 128>& table) {
  const size_t first = result_.size();
  keep(end);
  for (size_t i = first; i < result_.size(); ++i) result_[i] = table[static_cast<uint8_t>(result_[i]) & 0x7F];
}

void Edit::replace(uint32_t end, std::string_view text) {
  if (result_.size() + text.size() > limit_) {
    throw Exception(make_error(ErrorCode::invalid_argument,
                               fmt::format("the tokenizer's rules blow up a text past {} bytes", limit_),
                               "check the normalizer and pre_tokenizer of tokenizer.json"));
  }
  result_.append(text);
  if (at_ < head_) result_head_ = length();
  if (track_) origins_.insert(origins_.end(), text.size(), Span{at_, end});
  at_ = end;
}

uint32_t Segment::first_character_length(std::string_view text) {
  return text.empty() ? 0 : decode_utf8(text).length;
}

Segment::Segment(const Segment& whole, Span part)
    : text_(whole.view(part)),
      offset_(whole.offset_),
      head_(std::min(std::max(whole.head_, part.begin), part.end) - part.begin),
      limit_(whole.limit_),
      track_(whole.track_),
      pieces_{{0, part.end - part.begin}} {
  if (whole.origins_.empty()) {
    offset_ += part.begin;
  } else {
    origins_.assign(whole.origins_.begin() + part.begin, whole.origins_.begin() + part.end);
  }
}

void Segment::apply(Edit edit) {
  edit.keep(static_cast<uint32_t>(text_.size()));
  const auto size = edit.length();
  apply(std::move(edit), {{0, size}});
}

void Segment::apply(Edit edit, std::vector<Span> pieces) {
  edit.keep(static_cast<uint32_t>(text_.size()));
  if (track_ && !origins_.empty()) {
    const auto last = static_cast<uint32_t>(origins_.size()) - 1;
    for (Span& span : edit.origins_) {
      const bool empty = span.begin == span.end;
      const Span first = origins_[std::min(span.begin, last)];
      span = empty ? Span{first.begin, first.begin} : Span{first.begin, origins_[span.end - 1].end};
    }
  }
  origins_ = std::move(edit.origins_);
  head_ = edit.result_head_;
  owned_ = std::move(edit.result_);
  text_ = owned_;
  pieces_ = std::move(pieces);
}

Span Segment::origin_of(Span piece) const {
  if (origins_.empty()) return {piece.begin + offset_, piece.end + offset_};
  if (piece.begin == piece.end) {
    const Span at = piece.begin < origins_.size() ? origins_[piece.begin] : origins_.back();
    return {at.begin + offset_, at.begin + offset_};
  }
  return {origins_[piece.begin].begin + offset_, origins_[piece.end - 1].end + offset_};
}

}  // namespace quern::text
