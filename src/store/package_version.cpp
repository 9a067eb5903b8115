#include "store/package_version.h"

#include <algorithm>
#include <limits>

#include "base/ascii.h"

namespace quern::store {

namespace {

constexpr size_t kMostDigits = 18;

// A cursor over the lower-case text of a version.
struct VersionReader {
  std::string_view rest;
  bool broken = false;

  bool take(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool at_digit() const { return !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; }
  int64_t number() {
    int64_t value = 0;
    size_t digits = 0;
    for (; at_digit(); rest.remove_prefix(1)) {
      if (++digits > kMostDigits) {
        broken = true;
        return 0;
      }
      value = 10 * value + (rest.front() - '0');
    }
    return value;
  }
  // One of `words`, with a separator before it where one stands: its place, or -1 and nothing is taken.
  int word(std::initializer_list<std::string_view> words) {
    const std::string_view before = rest;
    separator();
    int place = 0;
    for (const std::string_view candidate : words) {
      if (rest.starts_with(candidate)) {
        rest.remove_prefix(candidate.size());
        return place;
      }
      ++place;
    }
    rest = before;
    return -1;
  }
  void separator() { (void)(take('-') || take('_') || take('.')); }
  // The number behind a word, 0 where none stands.
  int64_t count() {
    const std::string_view before = rest;
    separator();
    if (at_digit()) return number();
    rest = before;
    return 0;
  }
};

}  // namespace

std::optional<PackageVersion> PackageVersion::parse(std::string_view text) {
  const std::string lower = to_lower(text);
  VersionReader reader{lower};
  (void)reader.take('v');
  PackageVersion version;
  if (!reader.at_digit()) return std::nullopt;
  int64_t number = reader.number();
  if (reader.take('!')) {
    version.epoch_ = number;
    if (!reader.at_digit()) return std::nullopt;
    number = reader.number();
  }
  version.release_.push_back(number);
  while (reader.rest.size() > 1 && reader.rest[0] == '.' && reader.rest[1] >= '0' && reader.rest[1] <= '9') {
    (void)reader.take('.');
    version.release_.push_back(reader.number());
  }
  // Longer words first; the place in the list gives the stage.
  constexpr int64_t kStages[] = {0, 1, 2, 2, 2, 2, 0, 1};
  if (const int place = reader.word({"alpha", "beta", "preview", "pre", "rc", "c", "a", "b"}); place >= 0) {
    version.pre_ = PreRelease{kStages[place], reader.count()};
  }
  if (reader.rest.size() > 1 && reader.rest[0] == '-' && reader.rest[1] >= '0' && reader.rest[1] <= '9') {
    (void)reader.take('-');
    version.post_ = reader.number();
  } else if (reader.word({"post", "rev", "r"}) >= 0) {
    version.post_ = reader.count();
  }
  if (reader.word({"dev"}) >= 0) version.dev_ = reader.count();
  if (reader.take('+')) {  // a local label, which does not count
    if (reader.rest.empty()) return std::nullopt;
    reader.rest = {};
  }
  if (reader.broken || !reader.rest.empty()) return std::nullopt;
  return version;
}

PackageVersion::Key PackageVersion::key() const {
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min(), kLast = std::numeric_limits<int64_t>::max();
  std::vector<int64_t> release = release_;
  while (release.size() > 1 && release.back() == 0) release.pop_back();
  // A development release without any other mark comes before the alphas; no mark at all comes after candidates.
  int64_t stage = kLast, number = 0;
  if (pre_) {
    stage = pre_->stage;
    number = pre_->number;
  } else if (!post_ && dev_) {
    stage = kFirst;
  }
  return {epoch_, std::move(release), {stage, number, post_.value_or(kFirst), dev_.value_or(kLast)}};
}

}  // namespace quern::store
