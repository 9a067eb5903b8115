#include "store/gather.h"

#include <fmt/format.h>

#include "base/file.h"
#include "store/check_weights.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {
constexpr size_t kMostFiles = 100000;
}  // namespace

Result<std::vector<Downloaded>> Gathering::fetch(const std::vector<Job>& jobs) {
  uint64_t total = 0;
  bool known = true;
  for (const Job& job : jobs) {
    known = known && job.expected.size.has_value();
    total += job.expected.size.value_or(0);
  }
  ProgressScope bar(progress, "pull", known ? static_cast<int64_t>(total) : 0, "bytes");
  uint64_t before = 0;
  std::vector<Downloaded> results;
  for (const Job& job : jobs) {
    const fs::path path = staging.downloads() / job.name;
    QUERN_CHECK(make_directories(path.parent_path()));
    QUERN_TRY(Downloaded result, download(client, job.request, job.expected, path, [&](uint64_t bytes) {
                bar.update(static_cast<int64_t>(before + bytes));
              }));
    before += result.size;
    results.push_back(std::move(result));
  }
  return results;
}

Result<void> Gathering::place(const fs::path& file, const std::string& name, const std::string& sha256) {
  if (Result<void> whole = check_weights(file, name); !whole.ok()) {
    fs::remove(file);
    return whole;
  }
  const fs::path target = staging.model() / name;
  QUERN_CHECK(make_directories(target.parent_path()));
  QUERN_CHECK(rename_durably(file, target));
  if (!sha256.empty()) files.push_back({.path = name, .size = fs::file_size(target), .sha256 = sha256});
  return {};
}

Result<void> Gathering::place_chosen(const fs::path& folder, const std::string& fallback_name) {
  QUERN_TRY(const std::vector<ListedFile> listed, list_files(folder));
  QUERN_TRY(const std::vector<ChosenFile> chosen, choose_model_files(listed, source.selector, source.text));
  const std::string& first = chosen.front().name;
  QUERN_CHECK(claim(first.ends_with(".gguf") ? readable_name(first) : fallback_name));
  for (const ChosenFile& file : chosen) QUERN_CHECK(place(folder / listed[file.index].path, file.name, ""));
  return {};
}

Result<std::vector<ListedFile>> list_files(const fs::path& folder) {
  std::vector<ListedFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->is_symlink(gone) && it->is_directory(gone)) continue;
    if (!it->is_regular_file(gone)) continue;
    files.push_back({it->path().lexically_relative(folder).generic_string(), it->file_size(gone)});
    if (files.size() > kMostFiles) {
      return make_error(ErrorCode::invalid_argument,
                        fmt::format("{} has more than {} files", folder.string(), kMostFiles),
                        "give the folder of one model");
    }
  }
  if (error) return file_error("read folder", folder, error.value());
  return files;
}

}  // namespace quern::store
