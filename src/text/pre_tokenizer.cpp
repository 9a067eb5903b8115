#include "text/pre_tokenizer.h"

#include "text/byte_alphabet.h"
#include "text/lexer.h"
#include "text/split.h"
#include "text/unicode.h"

namespace quern::text {

namespace {
class SplitPreTokenizer : public PreTokenizer {
 public:
  SplitPreTokenizer(Splitter splitter) : splitter_(std::move(splitter)) {}

  void apply(Segment& segment) const override {
    std::vector<Span> pieces;
    pieces.reserve(segment.text().size() / 4 + segment.pieces().size());
    for (const Span piece : segment.pieces()) splitter_.split(segment.text(), piece, pieces);
    segment.set_pieces(std::move(pieces));
  }

 private:
  Splitter splitter_;
};

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

// Writes the text in the byte alphabet, for splitters that stand after ByteLevel and see its characters.
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

Result<Splitter> make_split(const Fields& fields) {
  QUERN_TRY(const PatternField pattern, fields.pattern("pattern"));
  QUERN_TRY(const std::string name, fields.string("behavior"));
  QUERN_TRY(const bool invert, fields.flag("invert", false));
  const std::optional<SplitBehavior> behavior = split_behavior_of(name);
  if (!behavior) {
    return fields.wrong("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
  }
  if (const Lexer lexer = pattern.is_regex ? find_lexer(pattern.text) : nullptr) {
    return Splitter(lexer, *behavior, invert);
  }
  QUERN_TRY(Regex regex, pattern.compile());
  return Splitter(std::move(regex), *behavior, invert);
}

constexpr std::string_view kKnown = "ByteLevel, Split, Digits, Sequence";

// Appends the steps that one component stands for. `is_last`: the model sees what it gives.
Result<void> add_steps(const Fields& fields, bool is_last, PreTokenizers& out) {
  QUERN_TRY(const std::string type, fields.type());
  const auto add_split = [&](Splitter splitter) {
    out.steps.push_back(std::make_unique<SplitPreTokenizer>(std::move(splitter)));
  };
  if (type == "ByteLevel") {
    QUERN_TRY(const bool prefix_space, fields.flag("add_prefix_space", true));
    QUERN_TRY(const bool use_regex, fields.flag("use_regex", true));
    if (prefix_space) out.steps.push_back(std::make_unique<PrefixSpacePreTokenizer>());
    if (use_regex) add_split(Splitter(find_lexer(kGpt2Pattern), SplitBehavior::isolated, false));
    if (!is_last) out.steps.push_back(std::make_unique<ByteCharactersPreTokenizer>());
    out.byte_level = is_last;
  } else if (type == "Split") {
    QUERN_TRY(Splitter splitter, make_split(fields));
    add_split(std::move(splitter));
  } else if (type == "Digits") {
    QUERN_TRY(const bool individual, fields.flag("individual_digits", false));
    add_split(Splitter(lex_numbers, individual ? SplitBehavior::isolated : SplitBehavior::contiguous, false));
  } else {
    return fields.unsupported(type, kKnown);
  }
  return {};
}
}  // namespace

Result<PreTokenizers> make_pre_tokenizers(const Json& component) {
  QUERN_TRY(const std::vector<Fields> list, flatten_sequence("pre_tokenizer", component, "pretokenizers"));
  PreTokenizers made;
  for (size_t i = 0; i < list.size(); ++i) QUERN_CHECK(add_steps(list[i], i + 1 == list.size(), made));
  return made;
}

}  // namespace quern::text
