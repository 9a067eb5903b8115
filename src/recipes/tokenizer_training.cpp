#include "recipes/tokenizer_training.h"

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "text/own_chat_form.h"

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
  f.add("chat", chat, "add the markers of conversations to the special tokens, and a chat template");
}

namespace {

// Gives out documents cut at special tokens, which are no text to learn merges from.
class PieceSource {
 public:
  PieceSource(data::DocumentReader& reader, const std::vector<std::string>& cuts) : reader_(reader) {
    for (const std::string& cut : cuts) cuts_.push_back({cut, 0});
  }

  // Nothing at the end, and after an error.
  std::optional<std::string_view> next() {
    while (begin_ == document_.text.size()) {
      const Result<bool> more = reader_.next(document_);
      if (!more.ok()) status_ = more.error();
      if (!more.ok() || !*more) return std::nullopt;
      begin_ = 0;
      for (Cut& cut : cuts_) cut.found = document_.text.find(cut.text);
    }
    const std::string_view text = document_.text;
    size_t end = text.size(), after = end;
    for (Cut& cut : cuts_) {
      if (cut.found < begin_) cut.found = text.find(cut.text, begin_);  // only then: a search may be long
      if (cut.found < end) {
        end = cut.found;
        after = end + cut.text.size();
      }
    }
    const std::string_view piece = text.substr(begin_, end - begin_);
    begin_ = after;
    return piece;
  }
  const Result<void>& status() const { return status_; }

 private:
  struct Cut {
    std::string text;
    size_t found;  // where it stands next
  };
  data::DocumentReader& reader_;
  std::vector<Cut> cuts_;
  data::Document document_;
  size_t begin_ = 0;  // of what is not given out yet
  Result<void> status_;
};

}  // namespace

Result<TrainedTokenizer> train_tokenizer(const TokenizerConfig& config, const std::filesystem::path& folder,
                                         Progress& progress) {
  text::BpeTrainOptions options = config.bpe;
  if (config.chat) {
    options.chat_template = text::own_chat_template();
    for (const std::string& marker : text::own_chat_markers()) {
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
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(folder));  // before the work: it may not be writable
  PieceSource pieces(reader, options.special_tokens);
  Result<text::Tokenizer> tokenizer = text::train_bpe([&] { return pieces.next(); }, options, progress);
  QUERN_CHECK(pieces.status());
  if (!tokenizer.ok()) return std::move(tokenizer).error();
  QUERN_CHECK(tokenizer->save(folder));
  return TrainedTokenizer{std::move(tokenizer).value(), reader.statistics()};
}

}  // namespace quern::recipes
