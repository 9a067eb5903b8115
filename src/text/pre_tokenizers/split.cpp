// Split and CharDelimiterSplit: by a pattern of the file.
#include <algorithm>

#include "text/pre_tokenizers/factories.h"

namespace quern::text {

namespace {
// Runs `split(text, piece, pieces)` on every piece.
template <class Split>
void refine(Segment& segment, const Split& split) {
  std::vector<Span> pieces;
  pieces.reserve(segment.text().size() / 4 + segment.pieces().size());
  for (const Span piece : segment.pieces()) split(segment.text(), piece, pieces);
  segment.set_pieces(std::move(pieces));
}

class LexingPreTokenizer : public PreTokenizer {
 public:
  explicit LexingPreTokenizer(Lexer lexer) : lexer_(lexer) {}
  void apply(Segment& segment) const override { refine(segment, lexer_); }

 private:
  Lexer lexer_;
};

class SplittingPreTokenizer : public PreTokenizer {
 public:
  explicit SplittingPreTokenizer(Splitter splitter) : splitter_(std::move(splitter)) {}
  void apply(Segment& segment) const override {
    refine(segment, [this](std::string_view text, Span piece, std::vector<Span>& pieces) {
      splitter_.split(text, piece, pieces);
    });
  }

 private:
  Splitter splitter_;
};
}  // namespace

std::unique_ptr<PreTokenizer> make_lexing(Lexer lexer) { return std::make_unique<LexingPreTokenizer>(lexer); }
std::unique_ptr<PreTokenizer> make_splitting(Splitter splitter) {
  return std::make_unique<SplittingPreTokenizer>(std::move(splitter));
}

Result<void> add_split(const Fields& fields, PreTokenizers& out) {
  QUERN_TRY(const PatternField pattern, fields.pattern("pattern"));
  QUERN_TRY(const SplitBehavior behavior, read_split_behavior(fields));
  QUERN_TRY(const bool invert, fields.flag("invert", false));
  const Lexer lexer = pattern.is_regex ? find_lexer(pattern.text) : nullptr;
  if (lexer && behavior == SplitBehavior::isolated) {
    out.steps.push_back(make_lexing(lexer));  // the usual case: a lexer covers the text
  } else if (lexer) {
    out.steps.push_back(make_splitting(Splitter(lexer, behavior, invert)));
  } else {
    QUERN_TRY(Regex regex, pattern.compile());
    out.steps.push_back(make_splitting(Splitter(std::move(regex), behavior, invert)));
  }
  return {};
}

Result<void> add_char_delimiter_split(const Fields& fields, PreTokenizers& out) {
  QUERN_TRY(const std::string delimiter, fields.character("delimiter"));
  out.steps.push_back(make_splitting(Splitter(Regex::literal(delimiter), SplitBehavior::removed, false)));
  return {};
}

}  // namespace quern::text
