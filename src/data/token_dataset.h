// TokenDataset: the tokens of a corpus split into documents, read in place from a memory-mapped file that is
// written once and reused.
//
// File format, version 1, little-endian; the counts stand at the end so that a writer only ever appends:
//
//   offset 0    u64  magic "QRNTOKEN"
//          8    u32  version = 1
//         12    u32  bytes per token, 2 (u16) or 4 (i32)
//         16         tokens, then zero bytes up to a multiple of 8
//                    u64 x (documents + 1): where each document begins, in tokens; the last one is the token
//                    count
//   size - 48   u64  token count
//               u64  document count
//               u64  source bytes: UTF-8 bytes of text the tokens stand for (bits per byte)
//               u64  key: hash of what the file was made from
//               u64  XXH3-64 of everything before this field
//               u64  magic again
//
// A file is accepted only if both magics, the version, its exact size, the order of the offsets and the
// checksum agree; the checksum costs one pass over the file, at the speed of memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace quern::data {

inline constexpr uint64_t kTokenMagic = 0x4E454B4F544E5251;  // "QRNTOKEN" as bytes
inline constexpr uint32_t kTokenVersion = 1;

// Immutable; copies share the bytes. Safe to read from many threads.
class TokenDataset {
 public:
  TokenDataset() = default;
  // Maps and checks a file: not_found, io, or corrupt with what disagrees.
  static Result<TokenDataset> open(const std::string& path);
  // In memory; `source_bytes` as in the file.
  static TokenDataset from_documents(const std::vector<std::vector<int32_t>>& documents,
                                     uint64_t source_bytes = 0);

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

 private:
  std::shared_ptr<const void> owner_;
  const std::byte* tokens_ = nullptr;
  int token_bytes_ = 4;
  int64_t token_count_ = 0;
  std::span<const uint64_t> offsets_;
  uint64_t source_bytes_ = 0;
  uint64_t key_ = 0;
  int32_t max_token_ = -1;
};

}  // namespace quern::data
