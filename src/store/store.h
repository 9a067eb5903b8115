// Models on this machine, under names: <root>/models/<name>/ holds the files of one and source.json, which says
// where they came from. Models appear and disappear whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/staging.h"

namespace quern::store {

struct StoredFile {
  std::string path;  // relative to the model's folder
  uint64_t size = 0;
  std::string sha256;
};

struct StoredModel {
  std::string name;            // "smollm2-135m-instruct-q4_1" or "org/repo"
  std::filesystem::path path;  // its folder
  std::string source;          // as it was typed for `quern pull`
  std::string revision;        // commit or version; may be empty
  std::string pulled;          // ISO 8601
  std::vector<StoredFile> files;

  uint64_t size() const;
  // "gguf", "safetensors" or "files".
  std::string kind() const;
  // What a MODEL argument opens: the GGUF where it is the only weights, with all of its parts beside it, else the
  // folder.
  std::filesystem::path entry() const;
};

// Processes may share one store; each operation is atomic.
class Store {
 public:
  // $QUERN_HOME, else $XDG_DATA_HOME/quern, else ~/.local/share/quern.
  static std::filesystem::path default_root();
  explicit Store(std::filesystem::path root = default_root()) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }

  // By name. Models whose source.json cannot be read are named in a warning and left out.
  std::vector<StoredModel> list() const;
  // not_found, with the nearest name as a hint.
  Result<StoredModel> find(std::string_view name) const;
  // What MODEL means: an existing path, else the name of a model in the store, else the source that one was
  // pulled from. not_found names what is near.
  Result<std::filesystem::path> resolve(const std::string& name_or_path) const;

  // Where a pull from `source` gathers its files; conflict when another process does so now.
  Result<Staging> stage(std::string_view source) const;
  // Removes what is gathered from `source`, unless another process does so now.
  void remove_staged(std::string_view source) const;
  // Pulls that were interrupted, and how much of them is there.
  std::vector<UnfinishedPull> unfinished() const;
  Result<void> remove_unfinished() const;

  // invalid_argument for what is no name; conflict when it is taken by another model (or part of one's name).
  Result<void> check_name(const std::string& name, bool replace) const;
  // Moves the staged model folder to its name, in place of what was there if `replace`. Fills in name, path,
  // time, and the sizes and checksums that `model.files` lacks.
  Result<StoredModel> add(Staging staging, StoredModel model, bool replace) const;
  Result<void> remove(const std::string& name) const;

 private:
  std::filesystem::path models() const { return root_ / "models"; }
  std::filesystem::path partial() const { return root_ / "partial"; }
  std::filesystem::path staging_folder(std::string_view source) const;

  std::filesystem::path root_;
};

}  // namespace quern::store
