// ByteLevel: GPT-2's split, and its alphabet of printable bytes.
#include "text/byte_alphabet.h"
#include "text/pre_tokenizers/factories.h"

namespace quern::text {

namespace {
class PrefixSpacePreTokenizer : public PreTokenizer {
 public:
  void apply(Segment& segment) const override {
    Edit edit = segment.edit();
    std::vector<Span> pieces;
    for (const Span piece : segment.pieces()) {
      edit.keep(piece.begin);
      const uint32_t begin = edit.length();
      if (piece.begin < piece.end && segment.text()[piece.begin] != ' ') edit.insert(" ");
      edit.keep(piece.end);
      if (edit.length() > begin) pieces.push_back({begin, edit.length()});
    }
    segment.apply(std::move(edit), std::move(pieces));
  }
};

// Writes the text in the byte alphabet, for whoever stands after ByteLevel and sees its characters.
class ByteCharactersPreTokenizer : public PreTokenizer {
 public:
  void apply(Segment& segment) const override {
    Edit edit = segment.edit();
    std::vector<Span> pieces;
    for (const Span piece : segment.pieces()) {
      edit.keep(piece.begin);
      const uint32_t begin = edit.length();
      for (uint32_t at = piece.begin; at < piece.end; ++at) {
        edit.replace(at + 1, to_byte_characters(segment.text().substr(at, 1)));
      }
      pieces.push_back({begin, edit.length()});
    }
    segment.apply(std::move(edit), std::move(pieces));
  }
};
}  // namespace

Result<void> add_byte_level(const Fields& fields, PreTokenizers& out) {
  QUERN_TRY(const bool prefix_space, fields.flag("add_prefix_space", true));
  QUERN_TRY(const bool use_regex, fields.flag("use_regex", true));
  if (prefix_space) out.steps.push_back(std::make_unique<PrefixSpacePreTokenizer>());
  if (use_regex) out.steps.push_back(make_lexing(find_lexer(kGpt2Pattern)));
  out.steps.push_back(std::make_unique<ByteCharactersPreTokenizer>());
  return {};
}

}  // namespace quern::text
