#include "store/joined_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "base/file.h"
#include "store/sha256.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMaxSums = uint64_t{1} << 20;
constexpr const char* kSums = "SHA256SUMS";
constexpr size_t kPieceBytes = size_t{8} << 20;

struct PartName {
  std::string whole;
  uint64_t number = 0;
};

std::optional<PartName> parse_part(std::string_view name) {
  const size_t mark = name.rfind(".part");
  if (mark == std::string_view::npos || mark == 0) return std::nullopt;
  const std::string digits(name.substr(mark + 5));
  if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return PartName{std::string(name.substr(0, mark)), std::stoull(digits)};
}

// Lines "HEX  NAME" or "HEX *NAME", as sha256sum writes them.
void read_sums(std::string_view text, std::map<std::string, std::string>& sums) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > 66 && is_sha256(line.substr(0, 64)) && line[64] == ' ')
      sums[std::string(line.substr(66))] = line.substr(0, 64);
  }
}

struct Parts {
  std::map<uint64_t, fs::path> files;  // by number
};

Result<void> join(const std::string& whole, const Parts& parts, const std::string& sum,
                  const fs::path& folder) {
  uint64_t next = parts.files.begin()->first;
  if (next > 1)
    return make_error(ErrorCode::corrupt, fmt::format("{}: its first part is number {}", whole, next));
  QUERN_TRY(AtomicFile file, AtomicFile::create(folder / whole));
  Sha256 hash;
  for (const auto& [number, path] : parts.files) {
    if (number != next++)
      return make_error(ErrorCode::corrupt, fmt::format("{}: part {} is missing", whole, next - 1));
    QUERN_TRY(const MappedFile part, MappedFile::open(path, AccessHint::sequential));
    for (size_t offset = 0; offset < part.size(); offset += kPieceBytes) {
      const auto piece = part.bytes().subspan(offset, std::min(kPieceBytes, part.size() - offset));
      hash.update(piece);
      QUERN_CHECK(file.write(piece));
      part.done_with(offset, piece.size());
    }
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  if (!sum.empty() && hash.hex() != sum) {
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: wrong checksum of the joined parts: expected SHA-256 {}, got {}",
                                  whole, sum, hash.hex()));
  }
  return file.commit();
}

}  // namespace

bool is_part_file(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 == 0
  return name == kSums || parse_part(name).has_value();
}

Result<void> join_parts(const fs::path& folder) {
  std::map<std::string, Parts> wholes;
  std::map<std::string, std::string> sums;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file()) continue;
    if (name == kSums) {
      QUERN_TRY(const std::string text, read_file(entry.path(), kMaxSums));
      read_sums(text, sums);
    }
    const std::optional<PartName> part = parse_part(name);
    if (part && !wholes[part->whole].files.emplace(part->number, entry.path()).second) {
      return make_error(ErrorCode::corrupt,
                        fmt::format("{}: part {} comes twice", part->whole, part->number));
    }
  }
  for (const auto& [whole, parts] : wholes) QUERN_CHECK(join(whole, parts, sums[whole], folder));
  return {};
}

}  // namespace quern::store
