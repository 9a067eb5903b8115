// What each kind of source does for a pull: it brings the files of one model into the staged folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "store/download.h"
#include "store/model_files.h"
#include "store/source.h"
#include "store/store.h"

namespace quern::store {

// One file to download.
struct Job {
  Request request;
  Expected expected;
  std::string name;  // path below the downloads folder
};

// One pull under way. What it refers to must outlive it.
struct Gathering {
  const Source& source;
  Staging& staging;
  HttpClient& client;
  Progress& progress;
  // Is told the name that the source suggests, before anything large is downloaded where that is possible, and
  // refuses when the store has no place for it.
  std::function<Result<void>(const std::string&)> claim;
  std::string revision = {};           // resolved: a commit or a version
  std::vector<StoredFile> files = {};  // those of the model whose checksums are known

  // Downloads all, in order, under one progress bar. Returns size and checksum of each.
  Result<std::vector<Downloaded>> fetch(const std::vector<Job>& jobs);
  // Moves a whole file into the model folder. `sha256` may be empty.
  Result<void> place(const std::filesystem::path& file, const std::string& name, const std::string& sha256);
  // Chooses a model among what lies below a folder of unpacked files, and places it. Claims `fallback_name`, or
  // the name of the GGUF when that is what is chosen.
  Result<void> place_chosen(const std::filesystem::path& folder, const std::string& fallback_name);
};

Result<void> gather_hub(Gathering& gathering);
Result<void> gather_web(Gathering& gathering);
Result<void> gather_package(Gathering& gathering);
Result<void> gather_local(Gathering& gathering);

// The files below `folder`, with paths relative to it; links are left out.
Result<std::vector<ListedFile>> list_files(const std::filesystem::path& folder);

}  // namespace quern::store
