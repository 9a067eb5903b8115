// TokenDataset: the tokens of a corpus split into documents, or of examples with what is learnt of them, read
// in place from a memory-mapped file that is written once and reused.
//
// File format, version 2, little-endian; the counts stand at the end so that a writer only ever appends:
//
//   offset 0    u64  magic "QRNTOKEN"
//          8    u32  version = 2
//         12    u16  bytes per token, 2 (u16) or 4 (i32)
//         14    u16  TokenContent
//         16         tokens, then zero bytes up to a multiple of 8
//                    unless the content is text: a bit per token, the lowest of a byte first, set where the
//                    token is learnt; then zero bytes up to a multiple of 8
//                    if it is preferences or unpaired: f32 x documents, the value of each; then zero bytes up
//                    to a multiple of 8
//                    u64 x (documents + 1): where each document begins, in tokens; the last one is the token
//                    count
//   size - 48   u64  token count
//               u64  document count
//               u64  source bytes: UTF-8 bytes of text the tokens stand for (bits per byte)
//               u64  key: hash of what the file was made from
//               u64  XXH3-64 of everything before this field
//               u64  magic again
//
// A file is accepted only if both magics, the version, its exact size, the order of the offsets, the values
// and the checksum agree; the checksum costs one pass over the file, at the speed of memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::data {

inline constexpr uint64_t kTokenMagic = 0x4E454B4F544E5251;  // "QRNTOKEN" as bytes
inline constexpr uint32_t kTokenVersion = 2;

// What the documents of a token file are.
enum class TokenContent : uint16_t {
  text = 0,        // documents, learnt as a whole
  supervised = 1,  // examples: some tokens of each are learnt
  preferences =
      2,  // pairs: document 2i is the preferred answer with its prompt, 2i + 1 the other one; the value of
          // both is the margin between them, 0 where nobody said
  unpaired = 3,  // answers with their prompts; the value is 1 for a wanted one, 0 for an unwanted one
};
// "preferences"
std::string_view name_of(TokenContent content);

// One document on its way to a dataset.
struct TokenDocument {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> learnt;  // of each token, 1 or 0; unused for text
  float value = 0.0f;           // see TokenContent
  bool operator==(const TokenDocument&) const = default;
};

// Immutable; copies share the bytes. Safe to read from many threads.
class TokenDataset {
 public:
  TokenDataset() = default;
  // Maps and checks a file: not_found, io, or corrupt with what disagrees.
  static Result<TokenDataset> open(const std::string& path);
  // In memory; `source_bytes` as in the file.
  static TokenDataset from_documents(const std::vector<std::vector<int32_t>>& documents,
                                     uint64_t source_bytes = 0);
  // In memory, with what is learnt.
  static TokenDataset from_examples(TokenContent content, const std::vector<TokenDocument>& documents);

  TokenContent content() const { return content_; }

  int64_t token_count() const { return token_count_; }
  int64_t document_count() const { return std::max<int64_t>(static_cast<int64_t>(offsets_.size()) - 1, 0); }
  int64_t document_begin(int64_t document) const {
    return static_cast<int64_t>(offsets_[static_cast<size_t>(document)]);
  }
  int64_t document_length(int64_t document) const {
    return document_begin(document + 1) - document_begin(document);
  }
  uint64_t source_bytes() const { return source_bytes_; }
  uint64_t key() const { return key_; }
  // Largest token id, -1 when empty: a model with a smaller vocabulary cannot train on this.
  int32_t max_token() const { return max_token_; }

  // Copies tokens [begin, begin + out.size()) of the whole stream. Precondition: they exist.
  void read(int64_t begin, std::span<int32_t> out) const;
  // Whether each of the tokens [begin, begin + out.size()) is learnt, 1 or 0: all of them are in text.
  void read_learnt(int64_t begin, std::span<uint8_t> out) const;
  // See TokenContent; 0 where documents have no value.
  float value(int64_t document) const;
  // All of one. Precondition: it exists.
  TokenDocument document(int64_t index) const;

 private:
  std::shared_ptr<const void> owner_;
  const std::byte* tokens_ = nullptr;
  const std::byte* learnt_ = nullptr;  // null: all tokens are
  std::span<const float> values_;
  TokenContent content_ = TokenContent::text;
  int token_bytes_ = 4;
  int64_t token_count_ = 0;
  std::span<const uint64_t> offsets_;
  uint64_t source_bytes_ = 0;
  uint64_t key_ = 0;
  int32_t max_token_ = -1;
};

}  // namespace quern::data
