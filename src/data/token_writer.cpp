#include "data/token_writer.h"

#include <fmt/format.h>

namespace quern::data {

TokenWriter::TokenWriter(AtomicFile file, int64_t vocab_size, uint64_t key, TokenContent content)
    : file_(std::move(file)),
      hash_(XXH3_createState()),
      vocab_size_(vocab_size),
      key_(key),
      content_(content) {
  XXH3_64bits_reset(hash_.get());
}

Result<TokenWriter> TokenWriter::create(const std::string& path, int64_t vocab_size, uint64_t key,
                                        TokenContent content) {
  QUERN_TRY(AtomicFile file, AtomicFile::create(path));
  TokenWriter writer(std::move(file), vocab_size, key, content);
  const uint32_t token_bytes = vocab_size <= 65536 ? 2 : 4;
  const uint32_t words[2] = {kTokenVersion, token_bytes | static_cast<uint32_t>(content) << 16};
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

Result<void> TokenWriter::add(const TokenDocument& document, uint64_t source_bytes) {
  const uint64_t begin = offsets_.back();
  QUERN_CHECK(add(document.tokens, source_bytes));
  for (size_t i = 0; i < document.tokens.size(); ++i) {
    const size_t at = begin + i;
    if (at % 8 == 0) learnt_.push_back(std::byte{0});
    if (document.learnt[i] != 0) learnt_.back() |= std::byte{1} << (at % 8);
  }
  values_.push_back(document.value);
  return {};
}

// Zeros up to a multiple of 8 bytes.
Result<void> TokenWriter::pad() {
  constexpr std::byte kZeros[8] = {};
  return write(std::span(kZeros).first((8 - file_.position() % 8) % 8));
}

Result<void> TokenWriter::finish() {
  QUERN_CHECK(pad());
  if (content_ != TokenContent::text) {
    QUERN_CHECK(write(learnt_));
    QUERN_CHECK(pad());
  }
  if (content_ == TokenContent::preferences || content_ == TokenContent::unpaired) {
    QUERN_CHECK(write(std::as_bytes(std::span(values_))));
    QUERN_CHECK(pad());
  }
  QUERN_CHECK(write(std::as_bytes(std::span(offsets_))));
  const uint64_t counts[4] = {offsets_.back(), offsets_.size() - 1, source_bytes_, key_};
  QUERN_CHECK(write(std::as_bytes(std::span(counts))));
  const uint64_t seal[2] = {XXH3_64bits_digest(hash_.get()), kTokenMagic};
  QUERN_CHECK(file_.write(std::as_bytes(std::span(seal))));
  return file_.commit();
}

}  // namespace quern::data
