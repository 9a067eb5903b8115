#include "data/token_dataset.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/file.h"

namespace quern::data {

static_assert(std::endian::native == std::endian::little, "token files are little-endian and read in place");

namespace {

constexpr size_t kHeadBytes = 16, kTailBytes = 48;

struct Tail {
  uint64_t tokens, documents, source_bytes, key, checksum, magic;
};
static_assert(sizeof(Tail) == kTailBytes);

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

Error corrupt(const std::string& path, const std::string& what) {
  return make_error(ErrorCode::corrupt, fmt::format("{}: {}", path, what),
                    "delete it; it is made again from the text");
}

template <class T>
int32_t largest(const std::byte* tokens, int64_t count) {
  const T* begin = reinterpret_cast<const T*>(tokens);
  return count > 0 ? static_cast<int32_t>(*std::max_element(begin, begin + count)) : -1;
}

struct Memory {
  std::vector<int32_t> tokens;
  std::vector<uint64_t> offsets{0};
};

}  // namespace

Result<TokenDataset> TokenDataset::open(const std::string& path) {
  QUERN_TRY(MappedFile mapped, MappedFile::open(path, AccessHint::random));
  auto file = std::make_shared<const MappedFile>(std::move(mapped));
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() < kHeadBytes + kTailBytes)
    return corrupt(path, fmt::format("not a token file: expected at least {} bytes, got {}",
                                     kHeadBytes + kTailBytes, bytes.size()));
  const Tail tail = load<Tail>(bytes.data() + bytes.size() - kTailBytes);
  if (load<uint64_t>(bytes.data()) != kTokenMagic)
    return corrupt(path, "not a token file: expected it to begin with QRNTOKEN");
  if (tail.magic != kTokenMagic)
    return corrupt(path, "the token file is truncated: its last 8 bytes are not QRNTOKEN");
  const auto version = load<uint32_t>(bytes.data() + 8), token_bytes = load<uint32_t>(bytes.data() + 12);
  if (version != kTokenVersion)
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: token file of version {}, expected {}", path, version, kTokenVersion),
                      "delete it; it is made again from the text");
  if (token_bytes != 2 && token_bytes != 4)
    return corrupt(path, fmt::format("expected 2 or 4 bytes per token, got {}", token_bytes));

  // Both counts are bounded by the bytes that are there before they enter any arithmetic.
  const uint64_t room = bytes.size() - kHeadBytes - kTailBytes;
  const uint64_t token_room =
      tail.tokens <= room / token_bytes ? (tail.tokens * token_bytes + 7) / 8 * 8 : room + 1;
  if (token_room > room || tail.documents >= room / 8 || (tail.documents + 1) * 8 != room - token_room)
    return corrupt(path, fmt::format("{} tokens in {} documents do not make {} bytes", tail.tokens,
                                     tail.documents, bytes.size()));
  if (XXH3_64bits(bytes.data(), bytes.size() - 16) != tail.checksum)
    return corrupt(path, "the checksum does not match the content");

  TokenDataset dataset;
  dataset.tokens_ = bytes.data() + kHeadBytes;
  dataset.token_bytes_ = static_cast<int>(token_bytes);
  dataset.token_count_ = static_cast<int64_t>(tail.tokens);
  // 8-aligned: the head, the padded tokens and the mapping itself are.
  dataset.offsets_ = {reinterpret_cast<const uint64_t*>(bytes.data() + kHeadBytes + token_room),
                      tail.documents + 1};
  if (dataset.offsets_.front() != 0 || dataset.offsets_.back() != tail.tokens ||
      !std::ranges::is_sorted(dataset.offsets_))
    return corrupt(path, "the document offsets are not in order");
  dataset.source_bytes_ = tail.source_bytes;
  dataset.key_ = tail.key;
  dataset.max_token_ = token_bytes == 2 ? largest<uint16_t>(dataset.tokens_, dataset.token_count_)
                                        : largest<int32_t>(dataset.tokens_, dataset.token_count_);
  dataset.owner_ = std::move(file);
  return dataset;
}

TokenDataset TokenDataset::from_documents(const std::vector<std::vector<int32_t>>& documents,
                                          uint64_t source_bytes) {
  auto memory = std::make_shared<Memory>();
  for (const auto& document : documents) {
    memory->tokens.insert(memory->tokens.end(), document.begin(), document.end());
    memory->offsets.push_back(memory->tokens.size());
  }
  TokenDataset dataset;
  dataset.tokens_ = reinterpret_cast<const std::byte*>(memory->tokens.data());
  dataset.token_count_ = static_cast<int64_t>(memory->tokens.size());
  dataset.offsets_ = memory->offsets;
  dataset.source_bytes_ = source_bytes;
  dataset.max_token_ = largest<int32_t>(dataset.tokens_, dataset.token_count_);
  dataset.owner_ = std::move(memory);
  return dataset;
}

void TokenDataset::read(int64_t begin, std::span<int32_t> out) const {
  if (token_bytes_ == 4) {
    if (!out.empty()) std::memcpy(out.data(), tokens_ + begin * 4, out.size_bytes());
    return;
  }
  const auto* source = reinterpret_cast<const uint16_t*>(tokens_) + begin;
  std::copy_n(source, out.size(), out.begin());
}

}  // namespace quern::data
