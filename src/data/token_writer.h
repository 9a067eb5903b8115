// TokenWriter: writes the file of token_dataset.h document by document; it appears only when it is complete.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "data/token_dataset.h"

namespace quern::data {

// Not thread-safe. Dropped before finish(), it leaves nothing behind.
class TokenWriter {
 public:
  // `vocab_size` chooses the width: 2 bytes up to 65,536 ids, 4 beyond.
  static Result<TokenWriter> create(const std::string& path, int64_t vocab_size, uint64_t key,
                                    TokenContent content = TokenContent::text);

  // Appends one document, of text; invalid_argument for an id outside [0, vocab_size).
  Result<void> add(std::span<const int32_t> tokens, uint64_t source_bytes);
  // Appends one document with what is learnt of it. Precondition: its mask has an entry for each token.
  Result<void> add(const TokenDocument& document, uint64_t source_bytes);
  Result<void> finish();

 private:
  TokenWriter(AtomicFile file, int64_t vocab_size, uint64_t key, TokenContent content);
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> pad();

  struct FreeHash {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  AtomicFile file_;
  std::unique_ptr<XXH3_state_t, FreeHash> hash_;
  int64_t vocab_size_;
  uint64_t key_;
  TokenContent content_;
  uint64_t source_bytes_ = 0;
  std::vector<uint64_t> offsets_{0};
  std::vector<std::byte> learnt_;
  std::vector<float> values_;
  std::vector<uint16_t> narrow_;
};

}  // namespace quern::data
