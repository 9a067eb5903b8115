#include "recipes/tokenizer_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "text/gguf_vocabulary.h"
#include "text/own_chat_form.h"

namespace quern::recipes {

void TokenizerConfig::fields(Fields& f) {
  f.add("input", inputs, "files or folders: .txt, .jsonl, also .gz or .zst").required();
  f.add("split_on", reader.split_on,
        "text files: what stands between documents; empty: one document per file");
  f.add("text_field", reader.text_field, "JSONL: the field with the text");
  f.add("model", model, "what is learnt: merges of bytes (bpe), or pieces as BERT or T5 has them",
        {{"bpe", TokenizerModel::bpe},
         {"wordpiece", TokenizerModel::word_piece},
         {"unigram", TokenizerModel::unigram}});
  f.add("vocab_size", vocab_size, "tokens, with special tokens and the alphabet").at_least(1);
  f.add("min_frequency", min_frequency, "bpe, wordpiece: pairs seen less often are not merged").at_least(1);
  f.add("special_tokens", special_tokens,
        "they get the first ids; empty: the usual ones, <|endoftext|> of bpe, [PAD], [UNK], [CLS], [SEP] and "
        "[MASK] of wordpiece, <pad>, </s> and <unk> of unigram");
  f.add("sentinels", sentinels,
        "special tokens <extra_id_0>, <extra_id_1>, ... behind them, some 100 for span corruption")
      .range(0, 10000);
  f.add("pattern", bpe.pattern,
        "bpe: how text is split: gpt2, llama3, qwen2, gpt4o, or a regular expression");
  f.add("nfc", bpe.nfc, "bpe: normalise to NFC first");
  f.add("bos_token", bos_token,
        "bpe, unigram: begins every document and prompt; one of the special tokens, or empty for none");
  f.add("eos_token", eos_token,
        "bpe, unigram: ends every document; one of the special tokens, or empty for none; </s> of unigram");
  f.add(
      "family", family,
      "bpe: family of the models it is for (qwen2); warns if transformers will split their texts otherwise");
  f.add("chat", chat, "bpe: add the markers of conversations to the special tokens, and a chat template");
  f.add("lowercase", word_piece.lowercase, "wordpiece: small letters without accents");
  f.add("limit_alphabet", word_piece.limit_alphabet, "wordpiece: characters to know, the most frequent ones")
      .at_least(1);
  f.add("initial_alphabet", word_piece.initial_alphabet, "wordpiece: characters to know in any case");
  f.add("byte_fallback", unigram.byte_fallback,
        "unigram: write unknown characters as bytes, with 256 tokens");
  f.add("character_coverage", unigram.character_coverage, "unigram: share of the text's characters to know")
      .range(0, 1);
  f.add("max_piece_length", unigram.max_piece_length, "unigram: characters of the longest piece").at_least(1);
  f.add("seed_size", unigram.seed_size, "unigram: pieces to begin with").at_least(1);
  f.add("shrinking_factor", unigram.shrinking_factor, "unigram: share of the pieces that a round keeps");
  f.add("n_sub_iterations", unigram.n_sub_iterations, "unigram: estimates in a round").at_least(1);
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

// Sets what the models have in common.
template <class Options>
Options with_common(Options options, const TokenizerConfig& config) {
  options.vocab_size = config.vocab_size;
  if constexpr (requires { options.min_frequency; }) options.min_frequency = config.min_frequency;
  if (!config.special_tokens.empty()) options.special_tokens = config.special_tokens;
  for (int64_t i = 0; i < config.sentinels; ++i)
    options.special_tokens.push_back(fmt::format("<extra_id_{}>", i));
  return options;
}

template <class Options>
bool is_special(const Options& options, const std::string& token) {
  return std::ranges::find(options.special_tokens, token) != options.special_tokens.end();
}

text::BpeTrainOptions bpe_options(const TokenizerConfig& config) {
  text::BpeTrainOptions options = with_common(config.bpe, config);
  if (config.chat) {
    options.chat_template = text::own_chat_template();
    for (const std::string& marker : text::own_chat_markers()) {
      if (!is_special(options, marker)) options.special_tokens.push_back(marker);
    }
  }
  if (!config.bos_token.empty()) options.bos_token = config.bos_token;
  options.eos_token = is_special(options, config.eos_token) ? std::optional(config.eos_token) : std::nullopt;
  return options;
}

text::UnigramTrainOptions unigram_options(const TokenizerConfig& config) {
  text::UnigramTrainOptions options = with_common(config.unigram, config);
  if (!config.bos_token.empty()) options.bos_token = config.bos_token;
  if (config.eos_token.empty()) options.eos_token.reset();
  if (is_special(options, config.eos_token)) options.eos_token = config.eos_token;
  for (std::optional<std::string>* role : {&options.eos_token, &options.pad_token}) {
    if (*role && !is_special(options, **role)) role->reset();
  }
  return options;
}

Result<text::Tokenizer> train_model(const TokenizerConfig& config, data::DocumentReader& reader,
                                    Progress& progress) {
  const auto train = [&](const auto& options, const auto& trainer) -> Result<text::Tokenizer> {
    PieceSource pieces(reader, options.special_tokens);
    Result<text::Tokenizer> tokenizer = trainer([&] { return pieces.next(); }, options, progress);
    QUERN_CHECK(pieces.status());
    return tokenizer;
  };
  if (config.model == TokenizerModel::word_piece)
    return train(with_common(config.word_piece, config), text::train_word_piece);
  if (config.model == TokenizerModel::unigram) return train(unigram_options(config), text::train_unigram);
  return train(bpe_options(config), text::train_bpe);
}

}  // namespace

Result<TrainedTokenizer> train_tokenizer(const TokenizerConfig& config, const std::filesystem::path& folder,
                                         Progress& progress) {
  if (config.chat && config.model != TokenizerModel::bpe)
    return make_error(ErrorCode::invalid_argument, "a chat form needs a tokenizer of the model bpe");
  QUERN_TRY(data::DocumentReader reader, data::open_corpus(config.inputs, config.reader));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(folder));  // before the work: it may not be writable
  QUERN_TRY(text::Tokenizer tokenizer, train_model(config, reader, progress));
  warn_of_foreign_split("tokenizer", config.family, tokenizer);
  QUERN_CHECK(tokenizer.save(folder));
  return TrainedTokenizer{std::move(tokenizer), reader.statistics()};
}

void warn_of_foreign_split(std::string_view component, std::string_view family,
                           const text::Tokenizer& tokenizer) {
  if (family != "qwen2") return;
  const auto vocabulary = text::make_gguf_vocabulary(tokenizer, tokenizer.vocab_size());
  if (vocabulary.ok() && vocabulary->pre == "qwen2") return;
  log::warn(
      component,
      "the tokenizer does not split text as Qwen's does; transformers will do so for a model of the family "
      "qwen2, and encode it otherwise: train the tokenizer with pattern=qwen2");
}

}  // namespace quern::recipes
