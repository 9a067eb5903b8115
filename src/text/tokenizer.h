// The tokenizer of a model: text to token ids and back, as tokenizer.json of Hugging Face describes it.
//
//   Tokenizer tokenizer = Tokenizer::load("model-folder").value();
//   std::vector<TokenId> ids = tokenizer.encode("Hello <|endoftext|>", {.allow_special = false});
//   std::string text = tokenizer.decode(ids);
//
// Ids are those of Hugging Face tokenizers, token for token, for valid UTF-8; only characters added to
// Unicode after version 12 may have another normal form, and those after 14 be split differently by a pattern
// that lexer.h does not know. Ill-formed UTF-8 is read as U+FFFD, one per maximal subpart (repair_utf8 counts
// them). `truncation` and `padding` of the file are read and kept but not applied.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/length_rules.h"
#include "text/segment.h"
#include "text/vocabulary.h"

namespace quern::text {

struct EncodeOptions {
  // Put in what the post-processor adds (BOS and the like).
  bool add_special_tokens = true;
  // Read "<|endoftext|>" and other special tokens in the text as such. Switch it off for text that is not
  // trusted: then they are ordinary text.
  bool allow_special = true;
  // Bytes of the text, in order, that no special token may take part in: what people typed, in a text whose
  // other parts are trusted.
  std::span<const Span> plain = {};
};

struct DecodeOptions {
  bool skip_special_tokens = false;
};

// Ids of the roles a model knows, where tokenizer_config.json (or the model, for unk) names them.
struct SpecialIds {
  std::optional<TokenId> bos, eos, pad, unk;
};

// A token together with the bytes of the input it stands for; added ones have an empty span at their place.
struct TokenSpan {
  TokenId id;
  Span span;
  bool operator==(const TokenSpan&) const = default;
};

// Two texts as one input: each token with the segment it belongs to (BERT's token_type_ids).
struct EncodedPair {
  std::vector<TokenId> ids;
  std::vector<int32_t> type_ids;
};

struct Pipeline;

// Cheap to copy; copies share everything. All methods are const and thread-safe.
class Tokenizer {
 public:
  // A folder, or the tokenizer's file in one: tokenizer.json; vocab.json with merges.txt; SentencePiece's tokenizer.model,
  // spiece.model, spm.model, sentencepiece.bpe.model; vocab.txt of BERT; tiktoken's ranks. What these leave open is read from the files
  // beside them (tokenizer_companions.h). Errors: not_found (what was looked for), io, corrupt (names the field),
  // unsupported (names the component, or the family).
  static Result<Tokenizer> load(const std::filesystem::path& path);
  // From the contents of the three files; all but the first may be empty.
  static Result<Tokenizer> from_json(std::string_view tokenizer_json, std::string_view config_json = {},
                                     std::string_view chat_template = {});

  // For readers of other formats.
  static Result<Tokenizer> from_pipeline(Pipeline pipeline, std::string_view config_json = {},
                                         std::string_view chat_template = {});

  // With `tokens` after those that it has: each found whole in text before anything else happens to it; where they are `special`,
  // left out of text for people, and not found in what is not trusted. invalid_argument for an empty text, one that is a token
  // already, the same twice, or one that decode() would write otherwise: byte-level decoders read letters such as é as bytes.
  Result<Tokenizer> with_tokens(std::span<const std::string> tokens, bool special) const;

  // Writes tokenizer.json, and tokenizer_config.json and chat_template.jinja if it has them, into the folder.
  Result<void> save(const std::filesystem::path& folder) const;
  std::string to_json() const;

  // Appends the ids of `text` to `ids`. Throws Exception: invalid_argument for texts over 4 GiB, deadline
  // when a hostile split pattern of the file backtracks without end.
  void encode(std::string_view text, std::vector<TokenId>& ids, const EncodeOptions& options = {}) const;
  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;
  // Throws Exception(invalid_argument) also for ill-formed UTF-8, in which positions mean nothing.
  std::vector<TokenSpan> encode_with_spans(std::string_view text, const EncodeOptions& options = {}) const;
  // Two texts joined by the pair template of the post-processor, or simply one after the other.
  std::vector<TokenId> encode_pair(std::string_view first, std::string_view second,
                                   const EncodeOptions& options = {}) const;
  EncodedPair encode_pair_with_types(std::string_view first, std::string_view second,
                                     const EncodeOptions& options = {}) const;
  // On all threads; the result does not depend on how many.
  std::vector<std::vector<TokenId>> encode_batch(std::span<const std::string_view> texts,
                                                 const EncodeOptions& options = {}) const;

  // Unknown ids are skipped; bytes that are not UTF-8 become U+FFFD.
  std::string decode(std::span<const TokenId> ids, const DecodeOptions& options = {}) const;

  // One past the largest id: the rows an embedding needs.
  int64_t vocab_size() const;
  // As the file writes it ("Ġthe"); nothing for an unknown token or id.
  std::optional<TokenId> token_to_id(std::string_view token) const;
  std::optional<std::string> id_to_token(TokenId id) const;
  bool is_special(TokenId id) const;
  // Whether it is found whole in text before anything else happens to it, as special tokens are.
  bool is_added(TokenId id) const;
  // What special tokens look like in text.
  std::vector<std::string> special_tokens() const;
  const SpecialIds& special_ids() const;
  // Bytes that the token puts into a decoded text, when tokens are independent of each other (byte-level
  // decoders).
  std::optional<std::string> token_bytes(TokenId id) const;
  // What the tokenizer splits `text` into before the model sees it: pieces as ranges of the text. Throws as
  // encode_with_spans does.
  std::vector<Span> split(std::string_view text) const;

  // "BPE", ...
  std::string_view model_type() const;
  // The rules of the file for lengths; nothing when it has none.
  const std::optional<Truncation>& truncation() const;
  const std::optional<Padding>& padding() const;
  // Empty when there is none.
  const std::string& chat_template() const;
  // tokenizer_config.json as it was loaded; empty when there is none.
  const std::string& config_json() const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace quern::text
