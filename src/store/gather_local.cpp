#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "store/archive.h"
#include "store/gather.h"
#include "store/sha256.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

Result<void> copy_into(Gathering& gathering, const fs::path& file, const std::string& name) {
  const fs::path copy = gathering.staging.unpacked() / name;
  QUERN_CHECK(make_directories(copy.parent_path()));
  std::error_code error;
  fs::copy_file(file, copy, error);
  if (error) return file_error("copy", file, error.value());
  return gathering.place(copy, name, "");
}

}  // namespace

Result<void> gather_local(Gathering& gathering) {
  const fs::path path = fs::absolute(gathering.source.path).lexically_normal();
  const bool folder = fs::is_directory(path);
  const fs::path named = path.has_filename() ? path : path.parent_path();
  const std::string name = named.filename().string();
  if (!folder && is_archive(name)) {
    QUERN_CHECK(gathering.claim(readable_name(name)));
    QUERN_TRY(const auto unpacked,
              unpack(path, gathering.staging.unpacked(), is_model_file, limits_for(fs::file_size(path))));
    return gathering.place_chosen(gathering.staging.unpacked(), readable_name(name));
  }
  const fs::path root = folder ? path : path.parent_path();
  std::vector<ListedFile> listed;
  if (folder) {
    QUERN_TRY(listed, list_files(root));
  } else {
    for (const std::string& part : split_parts(name)) {
      if (fs::is_regular_file(root / part)) listed.push_back({part, fs::file_size(root / part)});
    }
  }
  QUERN_TRY(const std::vector<ChosenFile> chosen,
            choose_model_files(listed, folder ? std::string() : name, path.string()));
  QUERN_CHECK(gathering.claim(readable_name(folder ? name : chosen.front().name)));
  for (const ChosenFile& file : chosen)
    QUERN_CHECK(copy_into(gathering, root / listed[file.index].path, file.name));
  return {};
}

}  // namespace quern::store
