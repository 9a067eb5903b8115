// Python package indexes as a source of models: many closed networks mirror nothing else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/http.h"
#include "store/simple_index.h"

namespace quern::store {

struct Release {
  IndexFile file;
  std::string version;
};

// Lower case, runs of '-', '_' and '.' as one '-' (PEP 503).
std::string normalised_package(std::string_view name);

// Of the files of `package`: those of `version`, or of the newest one that is not yanked and no pre-release
// (unless there is nothing else); of these a wheel for every machine, else any wheel, else a source archive.
// not_found names the versions there are.
Result<Release> choose_release(const std::vector<IndexFile>& files, const std::string& package,
                               const std::string& version);

// The parts in which a package's METADATA (or PKG-INFO) says that it comes: requirements named like the package
// itself with "-part" and a number behind, in the order of the numbers.
struct PackagePart {
  std::string name;
  std::string version;  // "" unless pinned with ==
};
std::vector<PackagePart> parts_in_metadata(std::string_view metadata, std::string_view package);

class PackageIndex {
 public:
  // The index that pip uses. invalid_argument when none is configured.
  static Result<PackageIndex> configured(HttpClient& client);
  PackageIndex(HttpClient& client, Url url) : client_(client), url_(std::move(url)) {}

  Result<Release> find(const std::string& package, const std::string& version);

 private:
  HttpClient& client_;
  Url url_;
};

}  // namespace quern::store
