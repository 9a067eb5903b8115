#include "store/pypi.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/ascii.h"
#include "store/package_version.h"
#include "store/pip_settings.h"

namespace quern::store {

namespace {

constexpr uint64_t kMaxPage = uint64_t{64} << 20;
constexpr size_t kMostParts = 1000;
constexpr size_t kMostVersionsShown = 8;
constexpr const char* kAccept =
    "Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
constexpr std::string_view kSourceEndings[] = {".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz"};

// "name-1.0-py3-none-any.whl" or "name-1.0.tar.gz": "1.0"; "" for what is neither, or of another package.
std::string version_in(const std::string& file, const std::string& package) {
  if (file.ends_with(".whl")) {
    const size_t first = file.find('-');
    const size_t second = first == std::string::npos ? first : file.find('-', first + 1);
    if (second == std::string::npos || normalised_package(file.substr(0, first)) != package) return {};
    return file.substr(first + 1, second - first - 1);
  }
  for (const std::string_view ending : kSourceEndings) {
    if (!file.ends_with(ending)) continue;
    const std::string stem = file.substr(0, file.size() - ending.size());
    for (size_t dash = stem.find('-'); dash != std::string::npos; dash = stem.find('-', dash + 1)) {
      if (normalised_package(stem.substr(0, dash)) == package) return stem.substr(dash + 1);
    }
  }
  return {};
}

int preference(const std::string& file) {
  if (file.ends_with("-none-any.whl")) return 2;
  return file.ends_with(".whl") ? 1 : 0;
}

}  // namespace

std::string normalised_package(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (!separator)
      result += to_lower(c);
    else if (!result.ends_with('-'))
      result += '-';
  }
  return result;
}

Result<Release> choose_release(const std::vector<IndexFile>& files, const std::string& package,
                               const std::string& version) {
  const std::string name = normalised_package(package);
  const std::optional<PackageVersion> asked = PackageVersion::parse(version);
  if (!version.empty() && !asked) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("pypi:{}: '{}' is no version", package, version));
  }
  struct Candidate {
    PackageVersion version;
    std::string text;
    const IndexFile* file;
  };
  std::vector<Candidate> candidates;
  for (const IndexFile& file : files) {
    const std::string text = version_in(file.name, name);
    if (const auto parsed = PackageVersion::parse(text)) candidates.push_back({*parsed, text, &file});
  }
  // Better ones last: final before pre-release, newer before older, and by kind of file.
  std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) {
    if (a.version.is_prerelease() != b.version.is_prerelease()) return a.version.is_prerelease();
    if (a.version != b.version) return a.version < b.version;
    return preference(a.file->name) < preference(b.file->name);
  });
  const auto fits = [&](const Candidate& c) { return asked ? c.version == *asked : !c.file->yanked; };
  const auto best = std::find_if(candidates.rbegin(), candidates.rend(), fits);
  if (best != candidates.rend()) return Release{*best->file, best->text};
  std::vector<std::string> known;
  for (const Candidate& c : candidates) {
    if (std::ranges::find(known, c.text) == known.end()) known.push_back(c.text);
  }
  if (known.empty())
    return make_error(ErrorCode::not_found, fmt::format("pypi:{}: the package has no files", package));
  const size_t skipped = known.size() - std::min(known.size(), kMostVersionsShown);
  known.erase(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(skipped));
  const std::string list = fmt::format("there is {}{}", skipped > 0 ? "..., " : "", fmt::join(known, ", "));
  if (version.empty())
    return make_error(ErrorCode::not_found, fmt::format("pypi:{}: every version is yanked", package), list);
  return make_error(ErrorCode::not_found, fmt::format("pypi:{} has no version {}", package, version), list);
}

std::vector<PackagePart> parts_in_metadata(std::string_view metadata, std::string_view package) {
  constexpr std::string_view kField = "Requires-Dist:";
  const std::string stem = normalised_package(package) + "-part";
  std::map<uint64_t, PackagePart> parts;
  while (!metadata.empty() && parts.size() < kMostParts) {
    const size_t end = std::min(metadata.find('\n'), metadata.size());
    const std::string_view line = metadata.substr(0, end);
    metadata.remove_prefix(std::min(end + 1, metadata.size()));
    if (trimmed(line).empty()) break;  // the description begins
    if (!line.starts_with(kField)) continue;
    const std::string_view requirement = trimmed(line.substr(kField.size()));
    const size_t name_end = std::min(requirement.find_first_of(" ;(<>=!~["), requirement.size());
    const std::string name = normalised_package(requirement.substr(0, name_end));
    if (!name.starts_with(stem)) continue;
    std::string digits = name.substr(stem.size());
    if (digits.starts_with('-')) digits.erase(0, 1);
    const bool number = !digits.empty() && digits.size() <= 9 &&
                        std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
    if (!number) continue;
    PackagePart part{name, {}};
    if (const size_t pin = requirement.find("=="); pin != std::string_view::npos) {
      const std::string_view behind = trimmed(requirement.substr(pin + 2));
      part.version = behind.substr(0, std::min(behind.find_first_of(" ;),"), behind.size()));
    }
    parts[std::stoull(digits)] = std::move(part);
  }
  std::vector<PackagePart> list;
  for (auto& [number, part] : parts) list.push_back(std::move(part));
  return list;
}

Result<PackageIndex> PackageIndex::configured(HttpClient& client) {
  const PipSettings settings = pip_settings();
  if (settings.index_url.empty()) {
    return make_error(
        ErrorCode::invalid_argument, "no package index is configured",
        "set PIP_INDEX_URL, or 'pip config set global.index-url URL': the address that ends in /simple");
  }
  Result<Url> url = parse_url(settings.index_url);
  if (!url.ok()) return std::move(url).error().within("pip's index-url");
  if (!url->path.ends_with('/')) url->path += '/';
  return PackageIndex(client, *std::move(url));
}

Result<Release> PackageIndex::find(const std::string& package, const std::string& version) {
  Request request = request_for(url_);
  request.url.path += normalised_package(package) + "/";
  request.headers.emplace_back(kAccept);
  Result<Response> page = client_.get(request, kMaxPage);
  if (!page.ok()) {
    Error error = std::move(page).error();
    if (error.code == ErrorCode::not_found) error.hint = fmt::format("check the spelling of '{}'", package);
    return std::move(error).within("pypi:" + package);
  }
  Url base = page->head.url;
  if (base.origin() == url_.origin()) {
    base.user = url_.user;
    base.password = url_.password;
  }
  if (page->head.header("content-type").find("json") != std::string::npos) {
    QUERN_TRY(const std::vector<IndexFile> files, parse_simple_json(page->body, base));
    return choose_release(files, package, version);
  }
  return choose_release(parse_simple_html(page->body, base), package, version);
}

}  // namespace quern::store
