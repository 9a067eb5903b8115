// Metaspace: spaces become a visible mark, at which words begin.
#include "text/pre_tokenizers/factories.h"

namespace quern::text {

namespace {
enum class Prepend { first, never, always };

class MetaspacePreTokenizer : public PreTokenizer {
 public:
  MetaspacePreTokenizer(std::string mark, Prepend prepend, bool split)
      : mark_(std::move(mark)), prepend_(prepend), split_(split) {}

  void apply(Segment& segment) const override {
    const std::string_view text = segment.text();
    Edit edit = segment.edit();
    std::vector<Span> pieces;
    for (const Span piece : segment.pieces()) {
      if (piece.begin == piece.end) continue;
      edit.keep(piece.begin);
      pieces.push_back({edit.length(), 0});
      const std::string_view whole = segment.view(piece);
      const bool wanted =
          prepend_ == Prepend::always || (prepend_ == Prepend::first && piece.begin < segment.head());
      if (wanted && !whole.starts_with(' ') && !whole.starts_with(mark_)) edit.insert(mark_);
      mark_spaces(text, piece, edit, pieces);
      edit.keep(piece.end);
      pieces.back().end = edit.length();
    }
    segment.apply(std::move(edit), std::move(pieces));
  }

 private:
  void mark_spaces(std::string_view text, Span piece, Edit& edit, std::vector<Span>& pieces) const {
    const auto begin_piece = [&](uint32_t at) {
      edit.keep(at);
      if (!split_ || at == piece.begin) return;
      pieces.back().end = edit.length();
      pieces.push_back({edit.length(), 0});
    };
    for (uint32_t at = piece.begin; at < piece.end;) {
      // Most characters are neither, and no lead byte of the mark.
      while (at < piece.end && text[at] != ' ' && text[at] != mark_[0]) ++at;
      if (at == piece.end) break;
      if (text[at] == ' ') {
        begin_piece(at);
        edit.replace(++at, mark_);
      } else if (text[at] == mark_[0] && text.substr(at, piece.end - at).starts_with(mark_)) {
        begin_piece(at);
        at += static_cast<uint32_t>(mark_.size());
      } else {
        ++at;
      }
    }
  }

  std::string mark_;
  Prepend prepend_;
  bool split_;
};

Result<Prepend> read_prepend(const Fields& fields) {
  Prepend prepend = Prepend::always;
  if (fields.has("prepend_scheme")) {
    QUERN_TRY(const std::string name, fields.string("prepend_scheme"));
    if (name != "first" && name != "never" && name != "always")
      return fields.wrong("prepend_scheme", "first, never or always");
    prepend = name == "first" ? Prepend::first : name == "never" ? Prepend::never : Prepend::always;
  }
  QUERN_TRY(const bool legacy, fields.flag("add_prefix_space", true));  // older files
  if (!legacy && prepend != Prepend::never && fields.has("prepend_scheme"))
    return fields.wrong("add_prefix_space", "true unless prepend_scheme is never");
  return legacy ? prepend : Prepend::never;
}
}  // namespace

Result<void> add_metaspace(const Fields& fields, PreTokenizers& out) {
  QUERN_TRY(std::string mark, fields.character("replacement"));
  QUERN_TRY(const Prepend prepend, read_prepend(fields));
  QUERN_TRY(const bool split, fields.flag("split", true));
  out.steps.push_back(std::make_unique<MetaspacePreTokenizer>(std::move(mark), prepend, split));
  return {};
}

}  // namespace quern::text
