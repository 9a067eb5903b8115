#include "data/token_writer.h"

#include <fmt/format.h>

#include "data/token_dataset.h"

namespace quern::data {

TokenWriter::TokenWriter(AtomicFile file, int64_t vocab_size, uint64_t key)
    : file_(std::move(file)), hash_(XXH3_createState()), vocab_size_(vocab_size), key_(key) {
  XXH3_64bits_reset(hash_.get());
}

Result<TokenWriter> TokenWriter::create(const std::string& path, int64_t vocab_size, uint64_t key) {
  QUERN_TRY(AtomicFile file, AtomicFile::create(path));
  TokenWriter writer(std::move(file), vocab_size, key);
  const uint32_t words[2] = {kTokenVersion, vocab_size <= 65536 ? 2u : 4u};
  QUERN_CHECK(writer.write(std::as_bytes(std::span(&kTokenMagic, 1))));
  QUERN_CHECK(writer.write(std::as_bytes(std::span(words))));
  return writer;
}

Result<void> TokenWriter::write(std::span<const std::byte> bytes) {
  XXH3_64bits_update(hash_.get(), bytes.data(), bytes.size());
  return file_.write(bytes);
}

Result<void> TokenWriter::add(std::span<const int32_t> tokens, uint64_t source_bytes) {
  for (int32_t token : tokens)
    if (token < 0 || token >= vocab_size_)
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("the tokenizer gave token {}, expected 0 to {}", token, vocab_size_ - 1));
  if (vocab_size_ <= 65536) {
    narrow_.assign(tokens.begin(), tokens.end());
    QUERN_CHECK(write(std::as_bytes(std::span(narrow_))));
  } else {
    QUERN_CHECK(write(std::as_bytes(tokens)));
  }
  offsets_.push_back(offsets_.back() + tokens.size());
  source_bytes_ += source_bytes;
  return {};
}

Result<void> TokenWriter::finish() {
  constexpr std::byte kZeros[8] = {};
  QUERN_CHECK(write(std::span(kZeros).first((8 - file_.position() % 8) % 8)));
  QUERN_CHECK(write(std::as_bytes(std::span(offsets_))));
  const uint64_t counts[4] = {offsets_.back(), offsets_.size() - 1, source_bytes_, key_};
  QUERN_CHECK(write(std::as_bytes(std::span(counts))));
  const uint64_t seal[2] = {XXH3_64bits_digest(hash_.get()), kTokenMagic};
  QUERN_CHECK(file_.write(std::as_bytes(std::span(seal))));
  return file_.commit();
}

}  // namespace quern::data
