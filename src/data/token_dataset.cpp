#include "data/token_dataset.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

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
  std::vector<std::byte> learnt;
  std::vector<float> values;
  std::vector<uint64_t> offsets{0};
};

bool has_masks(TokenContent content) { return content != TokenContent::text; }
bool has_values(TokenContent content) {
  return content == TokenContent::preferences || content == TokenContent::unpaired;
}

uint64_t padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

// Where the parts of a file stand.
struct Layout {
  uint64_t learnt = 0, values = 0, offsets = 0, tail = 0;
};

// Nothing when the counts and the size of the file disagree. Both counts are bounded by the bytes that are there before
// they enter any arithmetic.
std::optional<Layout> layout_of(const Tail& tail, TokenContent content, uint64_t token_bytes, uint64_t size) {
  const uint64_t room = size - kHeadBytes - kTailBytes;
  if (tail.tokens > room / token_bytes || tail.documents >= room / 8) return std::nullopt;
  Layout layout;
  layout.learnt = kHeadBytes + padded(tail.tokens * token_bytes);
  layout.values = layout.learnt + (has_masks(content) ? padded((tail.tokens + 7) / 8) : 0);
  layout.offsets = layout.values + (has_values(content) ? padded(tail.documents * sizeof(float)) : 0);
  layout.tail = layout.offsets + (tail.documents + 1) * 8;
  if (layout.tail != size - kTailBytes) return std::nullopt;
  return layout;
}

}  // namespace

std::string_view name_of(TokenContent content) {
  constexpr std::array<std::string_view, 4> kNames = {"text", "supervised", "preferences", "unpaired"};
  return kNames[static_cast<size_t>(content)];
}

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
  const auto version = load<uint32_t>(bytes.data() + 8);
  const auto token_bytes = load<uint16_t>(bytes.data() + 12), content = load<uint16_t>(bytes.data() + 14);
  if (version != kTokenVersion)
    return make_error(ErrorCode::unsupported,
                      fmt::format("{}: token file of version {}, expected {}", path, version, kTokenVersion),
                      "delete it; it is made again from the text");
  if (token_bytes != 2 && token_bytes != 4)
    return corrupt(path, fmt::format("expected 2 or 4 bytes per token, got {}", token_bytes));
  if (content > static_cast<uint16_t>(TokenContent::unpaired))
    return corrupt(path, fmt::format("expected content 0 to 3, got {}", content));

  TokenDataset dataset;
  dataset.content_ = TokenContent{content};
  const auto layout = layout_of(tail, dataset.content_, token_bytes, bytes.size());
  if (!layout)
    return corrupt(path, fmt::format("{} tokens in {} documents do not make {} bytes", tail.tokens,
                                     tail.documents, bytes.size()));
  if (XXH3_64bits(bytes.data(), bytes.size() - 16) != tail.checksum)
    return corrupt(path, "the checksum does not match the content");

  dataset.tokens_ = bytes.data() + kHeadBytes;
  dataset.token_bytes_ = static_cast<int>(token_bytes);
  dataset.token_count_ = static_cast<int64_t>(tail.tokens);
  if (has_masks(dataset.content_)) dataset.learnt_ = bytes.data() + layout->learnt;
  // 8-aligned: the head, the padded parts and the mapping itself are.
  if (has_values(dataset.content_))
    dataset.values_ = {reinterpret_cast<const float*>(bytes.data() + layout->values), tail.documents};
  dataset.offsets_ = {reinterpret_cast<const uint64_t*>(bytes.data() + layout->offsets), tail.documents + 1};
  if (dataset.offsets_.front() != 0 || dataset.offsets_.back() != tail.tokens ||
      !std::ranges::is_sorted(dataset.offsets_))
    return corrupt(path, "the document offsets are not in order");
  if (!std::ranges::all_of(dataset.values_, [](float value) { return std::isfinite(value); }))
    return corrupt(path, "the value of a document is no finite number");
  if (dataset.content_ == TokenContent::preferences && tail.documents % 2 != 0)
    return corrupt(path, fmt::format("preferences come in pairs, got {} documents", tail.documents));
  dataset.source_bytes_ = tail.source_bytes;
  dataset.key_ = tail.key;
  dataset.max_token_ = token_bytes == 2 ? largest<uint16_t>(dataset.tokens_, dataset.token_count_)
                                        : largest<int32_t>(dataset.tokens_, dataset.token_count_);
  dataset.owner_ = std::move(file);
  return dataset;
}

TokenDataset TokenDataset::from_documents(const std::vector<std::vector<int32_t>>& documents,
                                          uint64_t source_bytes) {
  std::vector<TokenDocument> plain;
  plain.reserve(documents.size());
  for (const auto& document : documents) plain.push_back({.tokens = document, .learnt = {}, .value = 0.0f});
  TokenDataset dataset = from_examples(TokenContent::text, plain);
  dataset.source_bytes_ = source_bytes;
  return dataset;
}

TokenDataset TokenDataset::from_examples(TokenContent content, const std::vector<TokenDocument>& documents) {
  auto memory = std::make_shared<Memory>();
  for (const TokenDocument& document : documents) {
    for (size_t i = 0; i < document.tokens.size(); ++i) {
      const size_t at = memory->tokens.size();
      if (at % 8 == 0) memory->learnt.push_back(std::byte{0});
      if (has_masks(content) && document.learnt[i] != 0) memory->learnt.back() |= std::byte{1} << (at % 8);
      memory->tokens.push_back(document.tokens[i]);
    }
    memory->values.push_back(document.value);
    memory->offsets.push_back(memory->tokens.size());
  }
  TokenDataset dataset;
  dataset.content_ = content;
  dataset.tokens_ = reinterpret_cast<const std::byte*>(memory->tokens.data());
  if (has_masks(content)) dataset.learnt_ = memory->learnt.data();
  if (has_values(content)) dataset.values_ = memory->values;
  dataset.token_count_ = static_cast<int64_t>(memory->tokens.size());
  dataset.offsets_ = memory->offsets;
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

void TokenDataset::read_learnt(int64_t begin, std::span<uint8_t> out) const {
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t at = static_cast<size_t>(begin) + i;
    out[i] = learnt_ == nullptr || (learnt_[at / 8] >> (at % 8) & std::byte{1}) != std::byte{0};
  }
}

float TokenDataset::value(int64_t document) const {
  return values_.empty() ? 0.0f : values_[static_cast<size_t>(document)];
}

TokenDocument TokenDataset::document(int64_t index) const {
  TokenDocument document;
  document.tokens.resize(static_cast<size_t>(document_length(index)));
  document.learnt.resize(document.tokens.size());
  read(document_begin(index), document.tokens);
  read_learnt(document_begin(index), document.learnt);
  document.value = value(index);
  return document;
}

}  // namespace quern::data
