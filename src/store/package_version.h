// Versions of Python packages and their order (PEP 440).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::store {

class PackageVersion {
 public:
  // nullopt for what is no version by PEP 440, or has numbers beyond 18 digits.
  static std::optional<PackageVersion> parse(std::string_view text);

  bool is_prerelease() const { return pre_ || dev_; }
  // Order of release: 1.0.dev1 < 1.0a1 < 1.0rc1 < 1.0 = 1.0.0 < 1.0.post1 < 1.1. Local labels do not count.
  std::weak_ordering operator<=>(const PackageVersion& other) const { return key() <=> other.key(); }
  bool operator==(const PackageVersion& other) const { return key() == other.key(); }

 private:
  struct PreRelease {
    int64_t stage = 0;  // 0 alpha, 1 beta, 2 candidate
    int64_t number = 0;
  };
  // Epoch, release numbers without trailing zeros, a mark below every number, pre, post, dev.
  struct Key {
    int64_t epoch;
    std::vector<int64_t> release;
    std::array<int64_t, 4> rest;
    auto operator<=>(const Key&) const = default;
  };
  Key key() const;

  int64_t epoch_ = 0;
  std::vector<int64_t> release_;
  std::optional<PreRelease> pre_;
  std::optional<int64_t> post_, dev_;
};

}  // namespace quern::store
