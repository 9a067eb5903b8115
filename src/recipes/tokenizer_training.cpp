#include "recipes/tokenizer_training.h"

#include <algorithm>
#include <optional>

#include "text/chat_markup.h"

namespace quern::recipes {

void TokenizerConfig::fields(Fields& f) {
  f.add("input", inputs, "files or folders: .txt, .jsonl, also .gz or .zst").required();
  f.add("split_on", reader.split_on,
        "text files: what stands between documents; empty: one document per file");
  f.add("text_field", reader.text_field, "JSONL: the field with the text");
  f.add("vocab_size", bpe.vocab_size, "tokens, with special tokens and the 256 bytes").at_least(1);
  f.add("min_frequency", bpe.min_frequency, "pairs seen less often are not merged").at_least(1);
  f.add("pattern", bpe.pattern, "how text is split: gpt2, llama3, qwen2, gpt4o, or a regular expression");
  f.add("nfc", bpe.nfc, "normalise to NFC first");
  f.add("special_tokens", bpe.special_tokens, "they get the first ids");
  f.add("bos_token", bos_token,
        "begins every document and prompt; one of the special tokens, or empty for none");
  f.add("eos_token", eos_token, "ends every document; one of the special tokens, or empty for none");
  f.add("chat", chat, "add the markers of conversations to the special tokens");
}

namespace {

// Gives out documents cut at special tokens, which are no text to learn merges from.
class PieceSource {
 public:
  PieceSource(data::DocumentReader& reader, const std::vector<std::string>& cuts)
      : reader_(reader), cuts_(cuts) {}

  std::optional<std::string_view> next() {
    while (rest_.empty()) {
      Result<bool> more = reader_.next(document_);
      if (!more.ok()) throw Exception(more.error());
      if (!*more) return std::nullopt;
      rest_ = document_.text;
    }
    size_t at = rest_.size(), length = 0;
    for (const std::string& cut : cuts_) {
      if (const size_t found = rest_.find(cut); found < at) {
        at = found;
        length = cut.size();
      }
    }
    const std::string_view piece = rest_.substr(0, at);
    rest_.remove_prefix(at + length);
    return piece;
  }

 private:
  data::DocumentReader& reader_;
  const std::vector<std::string>& cuts_;
  data::Document document_;
  std::string_view rest_;
};

}  // namespace

Result<TrainedTokenizer> train_tokenizer(const TokenizerConfig& config, const std::filesystem::path& folder,
                                         Progress& progress) {
  text::BpeTrainOptions options = config.bpe;
  if (config.chat) {
    for (const std::string& marker : text::ChatMarkup().special_tokens()) {
      if (std::ranges::find(options.special_tokens, marker) == options.special_tokens.end()) {
        options.special_tokens.push_back(marker);
      }
    }
  }
  if (options.eos_token &&
      std::ranges::find(options.special_tokens, *options.eos_token) == options.special_tokens.end()) {
    options.eos_token.reset();
  }
  QUERN_TRY(data::DocumentReader reader, data::open_corpus(config.inputs, config.reader));
  PieceSource pieces(reader, options.special_tokens);
  QUERN_TRY(text::Tokenizer tokenizer, text::train_bpe([&] { return pieces.next(); }, options, progress));
  QUERN_CHECK(tokenizer.save(folder));
  return TrainedTokenizer{std::move(tokenizer), reader.statistics()};
}

}  // namespace quern::recipes
