// WordPiece, BPEDecoder, Metaspace and CTC: where words begin and end.
#include <algorithm>
#include <utility>

#include "text/decoders/factories.h"

namespace quern::text {

namespace {
// English spacing as BERT's tokenizer tidies it, in this order.
void clean_up(std::string& text) {
  // All rules begin with a space before one of these.
  const size_t space = text.find(' ');
  if (space == text.npos) return;
  if (text.find(' ', space + 1) == text.npos &&
      std::string_view(".?!,'nd").find(text[std::min(space + 1, text.size() - 1)]) ==
          std::string_view::npos) {
    return;
  }
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

class WordPieceDecoder : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      if (&token != &tokens.front()) {
        if (token.starts_with(prefix_)) {
          token.erase(0, prefix_.size());
        } else {
          token.insert(0, " ");
        }
      }
      if (cleanup_) clean_up(token);
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

// The mark at the end of a word becomes a space, at the end of the text nothing.
class BpeDecoder : public Decoder {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) replace_all(token, suffix_, &token == &tokens.back() ? "" : " ");
  }

 private:
  std::string suffix_;
};

class MetaspaceDecoder : public Decoder {
 public:
  MetaspaceDecoder(std::string mark, bool drops_first) : mark_(std::move(mark)), drops_first_(drops_first) {}

  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      const bool first = &token == &tokens.front();
      replace_all(token, mark_, first && drops_first_ ? "" : " ");
    }
  }

 private:
  std::string mark_;
  bool drops_first_;
};

// Connectionist temporal classification (Graves et al., 2006): repetitions count once, the pad token not at all.
class CtcDecoder : public Decoder {
 public:
  CtcDecoder(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}

  void apply(std::vector<std::string>& tokens) const override {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      replace_all(token, pad_, "");
      if (!cleanup_) continue;
      clean_up(token);
      replace_all(token, delimiter_, " ");
    }
    std::erase(tokens, "");
  }

 private:
  std::string pad_, delimiter_;
  bool cleanup_;
};

// The field, or `fallback` when the file leaves it out.
Result<std::string> string_or(const Fields& fields, std::string_view key, std::string fallback) {
  return fields.has(key) ? fields.string(key) : Result<std::string>(std::move(fallback));
}
}  // namespace

Result<std::unique_ptr<Decoder>> make_word_piece_decoder(const Fields& fields) {
  QUERN_TRY(std::string prefix, string_or(fields, "prefix", "##"));
  QUERN_TRY(const bool cleanup, fields.flag("cleanup", true));
  return std::unique_ptr<Decoder>(std::make_unique<WordPieceDecoder>(std::move(prefix), cleanup));
}

Result<std::unique_ptr<Decoder>> make_bpe_decoder(const Fields& fields) {
  QUERN_TRY(std::string suffix, string_or(fields, "suffix", "</w>"));
  return std::unique_ptr<Decoder>(std::make_unique<BpeDecoder>(std::move(suffix)));
}

Result<std::unique_ptr<Decoder>> make_metaspace_decoder(const Fields& fields) {
  QUERN_TRY(std::string mark, fields.character("replacement"));
  QUERN_TRY(const std::string scheme, string_or(fields, "prepend_scheme", "always"));
  QUERN_TRY(const bool legacy, fields.flag("add_prefix_space", true));
  return std::unique_ptr<Decoder>(
      std::make_unique<MetaspaceDecoder>(std::move(mark), scheme != "never" && legacy));
}

Result<std::unique_ptr<Decoder>> make_ctc_decoder(const Fields& fields) {
  QUERN_TRY(std::string pad, string_or(fields, "pad_token", "<pad>"));
  QUERN_TRY(std::string delimiter, string_or(fields, "word_delimiter_token", "|"));
  QUERN_TRY(const bool cleanup, fields.flag("cleanup", true));
  return std::unique_ptr<Decoder>(
      std::make_unique<CtcDecoder>(std::move(pad), std::move(delimiter), cleanup));
}

}  // namespace quern::text
