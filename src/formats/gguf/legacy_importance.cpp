#include "formats/gguf/legacy_importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern::formats {

namespace {

constexpr int32_t kMaxName = 4096;

// The bytes that are left.
class ImatrixCursor {
 public:
  ImatrixCursor(std::span<const std::byte> bytes, std::string_view source) : rest_(bytes), source_(source) {}

  bool at_end() const { return rest_.empty(); }
  Error error(std::string_view what) const {
    return make_error(ErrorCode::corrupt, fmt::format("{}: {}", source_, what),
                      "an importance matrix is a GGUF file or llama.cpp's older imatrix.dat");
  }
  // A count from `least` to `most`, and of no more things of `size` bytes (0: of none) than there is room for.
  Result<int32_t> count(std::string_view what, int32_t least, int64_t most, int64_t size) {
    int32_t value = 0;
    if (rest_.size() < sizeof value) return error(fmt::format("ends before {}", what));
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_ = rest_.subspan(sizeof value);
    if (size > 0) most = std::min(most, static_cast<int64_t>(rest_.size()) / size);
    if (value >= least && value <= most) return value;
    return error(fmt::format("{}: expected {} to {}, got {}", what, least, most, value));
  }
  Result<std::string> text(std::string_view what, int32_t least) {
    QUERN_TRY(const int32_t length, count(fmt::format("length of {}", what), least, kMaxName, 1));
    return std::string(reinterpret_cast<const char*>(take(length).data()), static_cast<size_t>(length));
  }
  std::span<const std::byte> take(int64_t size) {
    const auto taken = rest_.first(static_cast<size_t>(size));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::byte> rest_;
  std::string_view source_;
};

Result<ImportanceMatrix::Entry> read_entry(ImatrixCursor& cursor, const std::string& name) {
  QUERN_TRY(const int32_t calls, cursor.count(fmt::format("calls of {}", name), 0, INT32_MAX, 0));
  QUERN_TRY(const int32_t values,
            cursor.count(fmt::format("values of {}", name), 1, INT32_MAX, sizeof(float)));
  ImportanceMatrix::Entry entry{.sums = std::vector<float>(static_cast<size_t>(values)),
                                .counts = {static_cast<float>(calls)}};
  const auto bytes = cursor.take(values * int64_t{sizeof(float)});
  std::memcpy(entry.sums.data(), bytes.data(), bytes.size());
  if (std::ranges::any_of(entry.sums, [](float v) { return !std::isfinite(v) || v < 0.0f; }))
    return cursor.error(fmt::format("{}: expected finite numbers, 0 or more", name));
  return entry;
}

}  // namespace

Result<ImportanceMatrix> parse_legacy_importance(std::span<const std::byte> bytes, std::string_view source) {
  ImatrixCursor cursor(bytes, source);
  ImportanceMatrix matrix;
  constexpr int64_t kLeastEntry = 4 * sizeof(int32_t) + 1;
  QUERN_TRY(const int32_t entries, cursor.count("entries", 1, INT32_MAX, kLeastEntry));
  for (int32_t i = 0; i < entries; ++i) {
    QUERN_TRY(const std::string name, cursor.text("a name", 1));
    QUERN_TRY(ImportanceMatrix::Entry entry, read_entry(cursor, name));
    if (!matrix.entries.emplace(name, std::move(entry)).second)
      return cursor.error(fmt::format("{} is there twice", name));
  }
  if (cursor.at_end()) return matrix;
  QUERN_TRY(const int32_t chunks, cursor.count("chunks", 0, INT32_MAX, 0));
  matrix.chunk_count = static_cast<uint32_t>(chunks);
  if (cursor.at_end()) return matrix;
  QUERN_TRY(std::string text, cursor.text("the text", 0));
  if (!text.empty()) matrix.datasets.push_back(std::move(text));
  return matrix;
}

}  // namespace quern::formats
