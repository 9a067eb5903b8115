#include "store/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/nearest.h"
#include "store/environment.h"
#include "store/safe_path.h"
#include "store/sha256.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRecord = "source.json";

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::isalnum(static_cast<unsigned char>(text.front())) != 0 &&
         std::ranges::all_of(text, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
         });
}

// "name" or "org/name".
bool is_model_name(std::string_view name) {
  const size_t slash = name.find('/');
  if (!is_safe_path(name)) return false;
  return slash == std::string_view::npos
             ? is_plain_word(name)
             : is_plain_word(name.substr(0, slash)) && is_plain_word(name.substr(slash + 1));
}

bool ends_with(const StoredFile& file, std::string_view ending) { return file.path.ends_with(ending); }

nlohmann::ordered_json to_json(const StoredModel& model) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const StoredFile& file : model.files)
    files.push_back({{"path", file.path}, {"size", file.size}, {"sha256", file.sha256}});
  return {{"source", model.source}, {"revision", model.revision}, {"pulled", model.pulled}, {"files", files}};
}

Result<StoredModel> read_model(const std::string& name, const fs::path& folder) {
  const fs::path record = folder / kRecord;
  QUERN_TRY(const nlohmann::json document, read_json_file(record));
  const std::string place = record.string();
  StoredModel model{.name = name, .path = folder, .source = {}, .revision = {}, .pulled = {}, .files = {}};
  QUERN_TRY(model.source, json_get<std::string>(document, "source", place));
  QUERN_TRY(model.revision, json_get<std::string>(document, "revision", place));
  QUERN_TRY(model.pulled, json_get<std::string>(document, "pulled", place));
  const auto files = document.find("files");
  if (files == document.end() || !files->is_array())
    return make_error(ErrorCode::corrupt, place + ": files: expected a list");
  for (const nlohmann::json& entry : *files) {
    StoredFile file;
    QUERN_TRY(file.path, json_get<std::string>(entry, "path", place));
    QUERN_TRY(file.size, json_get<uint64_t>(entry, "size", place));
    QUERN_TRY(file.sha256, json_get<std::string>(entry, "sha256", place));
    model.files.push_back(std::move(file));
  }
  return model;
}

bool is_model(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / kRecord, ignored);
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored)) found.push_back(it->path());
  }
  std::ranges::sort(found);
  return found;
}

// Every file that lies in the staged folder, with the sizes and checksums that are not known yet.
Result<std::vector<StoredFile>> describe_files(const fs::path& folder, const std::vector<StoredFile>& known) {
  std::vector<StoredFile> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    StoredFile file{.path = entry.path().lexically_relative(folder).generic_string(),
                    .size = entry.file_size(),
                    .sha256 = {}};
    const auto found = std::ranges::find(known, file.path, &StoredFile::path);
    if (found != known.end()) file.sha256 = found->sha256;
    if (file.sha256.empty()) {
      QUERN_TRY(file.sha256, sha256_of_file(entry.path()));
    }
    files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &StoredFile::path);
  return files;
}

// Puts `from` in the place of the folder `to`, in one step where the file system can exchange names; then `from`
// holds what was there.
Result<void> exchange_folders(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return {};
  const fs::path old = from.string() + ".old";
  QUERN_CHECK(rename_durably(to, old));
  return rename_durably(from, to);
}

}  // namespace

uint64_t StoredModel::size() const {
  uint64_t total = 0;
  for (const StoredFile& file : files) total += file.size;
  return total;
}

std::string StoredModel::kind() const {
  const auto any = [&](std::string_view ending) {
    return std::ranges::any_of(files, [&](const StoredFile& file) { return ends_with(file, ending); });
  };
  return any(".safetensors") ? "safetensors" : any(".gguf") ? "gguf" : "files";
}

fs::path StoredModel::entry() const {
  if (kind() != "gguf") return path;
  const auto first =
      std::ranges::find_if(files, [](const StoredFile& file) { return ends_with(file, ".gguf"); });
  return path / first->path;
}

fs::path Store::default_root() {
  if (const std::string home = environment("QUERN_HOME"); !home.empty()) return home;
  if (const std::string data = environment("XDG_DATA_HOME"); !data.empty()) return fs::path(data) / "quern";
  return fs::path(environment("HOME")) / ".local" / "share" / "quern";
}

std::vector<StoredModel> Store::list() const {
  std::vector<StoredModel> list;
  const auto add_model = [&](const std::string& name, const fs::path& folder) {
    Result<StoredModel> model = read_model(name, folder);
    if (model.ok())
      list.push_back(*std::move(model));
    else
      log::warn("store", "{}", model.error().message);
  };
  for (const fs::path& folder : folders_in(models())) {
    const std::string name = folder.filename().string();
    if (is_model(folder)) {
      add_model(name, folder);
      continue;
    }
    for (const fs::path& inner : folders_in(folder)) {
      if (is_model(inner)) add_model(name + "/" + inner.filename().string(), inner);
    }
  }
  std::ranges::sort(list, {}, &StoredModel::name);
  return list;
}

Result<StoredModel> Store::find(std::string_view name) const {
  if (is_model_name(name) && is_model(models() / name)) return read_model(std::string(name), models() / name);
  std::vector<std::string> known;
  for (const StoredModel& model : list()) known.push_back(model.name);
  const std::string near = suggestion(name, known);
  return make_error(ErrorCode::not_found,
                    fmt::format("no model '{}' in the store ({})", name, root_.string()),
                    near.empty() ? "'quern list' shows what is there" : near);
}

Result<fs::path> Store::resolve(const std::string& name_or_path) const {
  std::error_code ignored;
  if (fs::exists(name_or_path, ignored)) return fs::path(name_or_path);
  const Result<StoredModel> named = find(name_or_path);
  if (named.ok()) return named->entry();
  if (named.error().code != ErrorCode::not_found) return named.error();
  for (const StoredModel& model : list()) {
    if (model.source == name_or_path) return model.entry();
  }
  Error error = named.error();
  error.message = fmt::format("'{}' is neither a file or folder nor a model in the store ({})", name_or_path,
                              root_.string());
  if (name_or_path.starts_with("hf:") || name_or_path.starts_with("pypi:") ||
      name_or_path.starts_with("https://"))
    error.hint = fmt::format("'quern pull {}' fetches it", name_or_path);
  return error;
}

fs::path Store::staging_folder(std::string_view source) const {
  std::string readable;
  for (const char c : source.substr(0, 80))
    readable += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' ? c : '_';
  return partial() / fmt::format("{}-{:016x}", readable, hash64(source));
}

Result<Staging> Store::stage(std::string_view source) const {
  return Staging::open(staging_folder(source), source);
}

void Store::remove_staged(std::string_view source) const {
  std::error_code ignored;
  if (!fs::exists(staging_folder(source), ignored)) return;
  if (Result<Staging> staging = stage(source); staging.ok()) staging->discard();
}

std::vector<UnfinishedPull> Store::unfinished() const {
  std::vector<UnfinishedPull> pulls;
  for (const fs::path& folder : folders_in(partial())) pulls.push_back(describe_unfinished(folder));
  return pulls;
}

Result<void> Store::remove_unfinished() const {
  for (const UnfinishedPull& pull : unfinished()) {
    QUERN_TRY(Staging staging, Staging::open(pull.path, pull.source));
    staging.discard();
  }
  return {};
}

Result<void> Store::check_name(const std::string& name, bool replace) const {
  if (!is_model_name(name)) {
    return make_error(ErrorCode::invalid_argument, fmt::format("'{}' cannot be the name of a model", name),
                      "a name has letters, digits, '.', '-' and '_', and may be ORG/NAME");
  }
  const fs::path folder = models() / name;
  if (is_model(folder) && !replace) {
    const Result<StoredModel> there = read_model(name, folder);
    return make_error(ErrorCode::conflict,
                      fmt::format("the store has a model '{}' already{}", name,
                                  there.ok() ? ", from " + there->source : ""),
                      "choose another name with --name, or replace it with --force");
  }
  std::error_code ignored;
  const bool holds_others = !is_model(folder) && !fs::is_empty(folder, ignored) && !ignored;
  if (holds_others || (name.find('/') != std::string::npos && is_model(folder.parent_path()))) {
    return make_error(ErrorCode::conflict,
                      fmt::format("the name '{}' is part of the name of another model", name),
                      "choose another name with --name");
  }
  return {};
}

Result<StoredModel> Store::add(Staging staging, StoredModel model, bool replace) const {
  QUERN_CHECK(check_name(model.name, replace));
  QUERN_TRY(model.files, describe_files(staging.model(), model.files));
  model.pulled = iso_time();
  model.path = models() / model.name;
  QUERN_CHECK(write_file_atomic(staging.model() / kRecord, to_json(model).dump(2) + "\n"));
  QUERN_CHECK(make_directories(model.path.parent_path()));
  if (is_model(model.path)) {
    QUERN_CHECK(exchange_folders(staging.model(), model.path));
  } else {
    QUERN_CHECK(rename_durably(staging.model(), model.path));
  }
  staging.discard();
  return model;
}

Result<void> Store::remove(const std::string& name) const {
  QUERN_TRY(const StoredModel model, find(name));
  QUERN_TRY(Staging staging, stage("removed " + name));
  QUERN_CHECK(rename_durably(model.path, staging.path() / "removed"));
  staging.discard();
  std::error_code not_empty;
  if (name.find('/') != std::string::npos) fs::remove(model.path.parent_path(), not_empty);
  return {};
}

}  // namespace quern::store
