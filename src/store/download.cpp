#include "store/download.h"

#include <fmt/format.h>

#include <charconv>

#include "base/units.h"
#include "store/part_file.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

// No published file is larger; a body without end stops here.
constexpr uint64_t kLargestFile = uint64_t{4} << 40;

struct ContentRange {
  uint64_t first = 0;
  std::optional<uint64_t> total;
};

// "bytes 100-199/200" or "bytes 100-199/*".
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto number = [](std::string_view digits) -> std::optional<uint64_t> {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const std::optional<uint64_t> first = number(text.substr(0, dash));
  if (!first) return std::nullopt;
  return ContentRange{*first, number(text.substr(slash + 1))};
}

bool is_strong(std::string_view etag) { return etag.starts_with('"'); }

Validators validators_of(const ResponseHead& head, std::optional<uint64_t> total) {
  return {head.header("etag"), head.header("last-modified"), total.value_or(0)};
}

bool same_version(const Validators& a, const Validators& b) {
  if (a.size != 0 && b.size != 0 && a.size != b.size) return false;
  if (!a.etag.empty() && !b.etag.empty()) return a.etag == b.etag;
  return a.last_modified.empty() || b.last_modified.empty() || a.last_modified == b.last_modified;
}

class PartSink final : public BodySink {
 public:
  PartSink(PartFile& part, const Expected& expected, fs::path path,
           const std::function<void(uint64_t)>& on_bytes)
      : part_(part), expected_(expected), path_(std::move(path)), on_bytes_(on_bytes) {}

  Result<std::vector<std::string>> next_headers() override {
    if (part_.size() == 0) return std::vector<std::string>{};
    const Validators& v = part_.validators();
    const bool too_long = expected_.size && part_.size() >= *expected_.size;
    if (too_long || !(is_strong(v.etag) || !v.last_modified.empty() || !expected_.sha256.empty())) {
      QUERN_CHECK(part_.restart({}));  // nothing would tell whether the rest belongs to what is there
      return std::vector<std::string>{};
    }
    std::vector<std::string> headers = {fmt::format("Range: bytes={}-", part_.size())};
    if (is_strong(v.etag)) {
      headers.push_back("If-Range: " + v.etag);
    } else if (!v.last_modified.empty()) {
      headers.push_back("If-Range: " + v.last_modified);
    }
    return headers;
  }

  Result<bool> begin(const ResponseHead& head) override {
    const std::string coding = head.header("content-encoding");
    if (!coding.empty() && coding != "identity") {
      return make_error(ErrorCode::unsupported,
                        fmt::format("{}: sent as '{}', which was not asked for", head.url.display(), coding));
    }
    if (head.status == 206) return go_on(head);
    total_ = head.content_length();
    QUERN_CHECK(check_size(head));
    QUERN_CHECK(part_.restart(validators_of(head, total_)));
    return true;
  }

  Result<void> write(std::span<const std::byte> bytes) override {
    const uint64_t limit = expected_.size.value_or(total_.value_or(kLargestFile));
    if (bytes.size() > limit - std::min(limit, part_.size())) {
      part_.discard();
      return make_error(ErrorCode::corrupt, fmt::format("{}: expected {} bytes, and more than that came",
                                                        path_.filename().string(), limit));
    }
    QUERN_CHECK(part_.append(bytes));
    if (on_bytes_) on_bytes_(part_.size());
    return {};
  }

  Result<void> range_refused() override { return part_.restart({}); }
  uint64_t kept() const override { return part_.size(); }
  Result<void> complete() const override {
    if (part_.size() == expected_.size.value_or(total_.value_or(part_.size()))) return {};
    return make_error(ErrorCode::unavailable, "the content ended early");
  }

 private:
  // Whether this partial answer is the rest of what is there; otherwise forgets what is there.
  Result<bool> go_on(const ResponseHead& head) {
    const std::optional<ContentRange> range = parse_content_range(head.header("content-range"));
    const bool fits = range && part_.size() > 0 && range->first == part_.size() &&
                      same_version(part_.validators(), validators_of(head, range->total));
    if (!fits) {
      QUERN_CHECK(part_.restart({}));
      return false;
    }
    total_ = range->total;
    QUERN_CHECK(check_size(head));
    return true;
  }

  // What the server announces against what is expected, and against the room on the disk.
  Result<void> check_size(const ResponseHead& head) {
    if (!total_) return {};
    if (expected_.size && *total_ != *expected_.size) {
      part_.discard();
      return make_error(ErrorCode::corrupt, fmt::format("{}: expected {} bytes, the server announces {}",
                                                        head.url.display(), *expected_.size, *total_));
    }
    std::error_code unknown;
    const fs::space_info space = fs::space(path_.parent_path(), unknown);
    const uint64_t missing = *total_ - std::min(*total_, part_.size());
    if (!unknown && space.available < missing) {
      return make_error(
          ErrorCode::io,
          fmt::format("{}: needs {} more, but {} has room for {}", path_.filename().string(),
                      human_bytes(missing), path_.parent_path().string(), human_bytes(space.available)),
          "free some space, or keep models elsewhere with QUERN_HOME");
    }
    return {};
  }

  PartFile& part_;
  const Expected& expected_;
  fs::path path_;
  const std::function<void(uint64_t)>& on_bytes_;
  std::optional<uint64_t> total_;
};

// True when an earlier pull has left the right file. Without a checksum nobody can tell.
Result<bool> already_there(const fs::path& path, const Expected& expected) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error || expected.sha256.empty() || (expected.size && size != *expected.size)) return false;
  QUERN_TRY(const std::string sha256, sha256_of_file(path));
  return sha256 == expected.sha256;
}

}  // namespace

Result<Downloaded> download(HttpClient& client, const Request& request, const Expected& expected,
                            const fs::path& path, const std::function<void(uint64_t)>& on_bytes) {
  QUERN_TRY(const bool there, already_there(path, expected));
  if (there) {
    const uint64_t size = fs::file_size(path);
    if (on_bytes) on_bytes(size);
    return Downloaded{size, expected.sha256};
  }
  QUERN_TRY(PartFile part, PartFile::open(path));
  PartSink sink(part, expected, path, on_bytes);
  // A part may already be whole, when the process was killed before it got its name.
  const bool whole = !expected.sha256.empty() && part.size() > 0 && part.sha256() == expected.sha256;
  if (!whole) {
    if (Result<void> fetched = client.fetch(request, sink); !fetched.ok()) {
      if (part.size() == 0) part.discard();  // a request that was refused leaves nothing to go on from
      return std::move(fetched).error();
    }
  }
  const std::string sha256 = part.sha256();
  if (!expected.sha256.empty() && sha256 != expected.sha256) {
    part.discard();
    return make_error(ErrorCode::corrupt,
                      fmt::format("{}: wrong checksum: expected SHA-256 {}, got {}", request.url.display(),
                                  expected.sha256, sha256),
                      "what came was removed; if this happens again, the file at its source is damaged");
  }
  const Downloaded result{part.size(), sha256};
  QUERN_CHECK(part.commit());
  return result;
}

}  // namespace quern::store
