#include "recipes/make.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/version.h"
#include "recipes/stage.h"
#include "recipes/stage_timer.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kRecord = "stage.json";

// What `path` is when a finished stage made it: the key of that stage says what is in it.
std::optional<std::string> stage_identity(const std::string& path, const std::vector<FinishedStage>& done) {
  for (const FinishedStage& stage : done) {
    const std::string folder = stage.folder.string();
    if (path == folder || path.starts_with(folder + "/")) return stage.key + path.substr(folder.size());
  }
  return std::nullopt;
}

// The content of a file with its ending, which says how it is read, or of every file below a folder with its
// relative name.
Result<std::string> content_identity(const fs::path& path) {
  std::error_code status;
  if (!fs::is_directory(path, status)) {
    QUERN_TRY(const Hash128 hash, hash_file(path));
    return hash.hex() + path.stem().extension().string() + path.extension().string();
  }
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(path, status);
       !status && entry != fs::recursive_directory_iterator(); entry.increment(status)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) files.push_back(entry->path());
  }
  if (status) return file_error("list", path, status.value());
  std::ranges::sort(files);
  Hasher hasher;
  for (const fs::path& file : files) {
    QUERN_TRY(const Hash128 hash, hash_file(file));
    hasher.add(fs::relative(file, path).string()).add(hash);
  }
  return hasher.result().hex();
}

// The folder that ${name} stands for, by stage.
using Folders = std::map<std::string, std::string, std::less<>>;

Result<std::string> resolve(std::string_view name, const Recipe& recipe, const Folders& folders) {
  if (const auto stage = folders.find(name); stage != folders.end()) return stage->second;
  if (const auto value = recipe.values.find(std::string(name)); value != recipe.values.end())
    return value->second;
  std::vector<std::string> known;
  for (const auto& [stage, folder] : folders) known.push_back(stage);
  for (const auto& [key, value] : recipe.values) known.push_back(key);
  return make_error(
      ErrorCode::invalid_argument,
      fmt::format("{}: ${{{}}} is neither an earlier stage nor a setting", recipe.file.string(), name),
      fmt::format("there are: {}", fmt::join(known, ", ")));
}

struct LoadedStage {
  const StageKind* kind;
  std::unique_ptr<Stage> stage;
  nlohmann::ordered_json settings;  // as they will run
};

Result<LoadedStage> load_stage(const StageSpec& spec, const Recipe& recipe, const Folders& folders) {
  LoadedStage loaded;
  QUERN_TRY(loaded.kind, find_stage_kind(spec.kind));
  loaded.stage = loaded.kind->make();
  Fields fields;
  loaded.stage->fields(fields);
  QUERN_TRY(const YAML::Node settings,
            substitute(spec.settings, [&](std::string_view name) { return resolve(name, recipe, folders); }));
  QUERN_CHECK(fields.load_yaml(settings, recipe.file.string()));
  for (const std::string& setting : spec.overrides) QUERN_CHECK(fields.set(setting));
  QUERN_CHECK(fields.check_required());
  QUERN_CHECK(loaded.stage->finish(fields));
  loaded.settings = fields.to_json();
  return loaded;
}

// Loads every stage before the first one runs: a mistake in the last should not show after hours.
Result<void> check_stages(const Recipe& recipe) {
  Folders folders;
  for (const StageSpec& spec : recipe.stages) {
    const Result<LoadedStage> loaded = load_stage(spec, recipe, folders);
    if (!loaded.ok()) return Error(loaded.error()).within("stage " + spec.name);
    folders[spec.name] = (recipe.out / spec.name).string();
  }
  return {};
}

// What each input holds.
Result<nlohmann::ordered_json> lineage_of(const Stage& stage, const std::vector<FinishedStage>& done) {
  nlohmann::ordered_json lineage = nlohmann::ordered_json::object();
  for (const std::string& input : stage.inputs()) {
    std::optional<std::string> identity = stage_identity(input, done);
    if (!identity) {
      QUERN_TRY(identity, content_identity(input));
    }
    lineage[input] = *identity;
  }
  return lineage;
}

// Settings with what paths hold in their place: neither OUT nor the place of an input belongs to a key.
nlohmann::ordered_json without_paths(nlohmann::ordered_json settings, const nlohmann::ordered_json& lineage,
                                     const std::vector<FinishedStage>& done) {
  if (settings.is_structured()) {
    for (auto& value : settings) value = without_paths(std::move(value), lineage, done);
  } else if (settings.is_string()) {
    const std::string& text = settings.get_ref<const std::string&>();
    if (const auto input = lineage.find(text); input != lineage.end()) return *input;
    if (const auto identity = stage_identity(text, done)) return *identity;
  }
  return settings;
}

// Also where a path or a text is not UTF-8.
std::string dump(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string key_of(const LoadedStage& loaded, const nlohmann::ordered_json& lineage,
                   const std::vector<FinishedStage>& done) {
  Hasher hasher;
  hasher.add(loaded.kind->name).add(static_cast<uint64_t>(loaded.kind->version));
  return hasher.add(dump(without_paths(loaded.settings, lineage, done), -1)).result().hex().substr(0, 16);
}

// OUT/<stage> -> .stages/<stage>-<key>, replaced in one step.
Result<void> link_stage(const fs::path& out, const std::string& name, const fs::path& folder) {
  const fs::path link = out / name, temporary = out / ("." + name + ".link");
  std::error_code status;
  if (fs::exists(link, status) && !fs::is_symlink(link, status)) {
    return make_error(ErrorCode::conflict,
                      fmt::format("{} is in the way: it is not a link to a stage", link.string()),
                      "move it away, or choose another place with --set out=FOLDER");
  }
  fs::remove(temporary, status);
  fs::create_directory_symlink(fs::relative(folder, out), temporary, status);
  if (status) return file_error("link", temporary, status.value());
  return rename_durably(temporary, link);
}

std::optional<nlohmann::ordered_json> finished_record(const fs::path& folder, const std::string& key) {
  const Result<std::string> text = read_file(folder / kRecord);
  if (!text.ok()) return std::nullopt;
  auto record = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!record.is_object() || !record.contains("key") || record["key"] != key) return std::nullopt;
  return record;
}

Result<FinishedStage> run_stage(const StageSpec& spec, const Recipe& recipe,
                                const std::vector<FinishedStage>& done, const MakeHow& how) {
  Folders folders;
  for (const FinishedStage& stage : done) folders[stage.name] = stage.folder.string();
  QUERN_TRY(const LoadedStage loaded, load_stage(spec, recipe, folders));
  QUERN_TRY(const nlohmann::ordered_json lineage, lineage_of(*loaded.stage, done));
  const std::string key = key_of(loaded, lineage, done);
  FinishedStage result{.name = spec.name,
                       .kind = spec.kind,
                       .key = key,
                       .folder = recipe.out / ".stages" / (spec.name + "-" + key),
                       .record = {}};
  if (auto record = finished_record(result.folder, key)) {
    result.record = std::move(*record);
    result.reused = true;
    result.seconds = result.record.value("seconds", 0.0);
    if (how.announce) how.announce(spec, true);
    QUERN_CHECK(link_stage(recipe.out, spec.name, result.folder));
    return result;
  }
  if (how.announce) how.announce(spec, false);
  std::error_code status;
  const bool resume = fs::exists(result.folder, status);
  QUERN_CHECK(make_directories(result.folder));
  QUERN_CHECK(link_stage(recipe.out, spec.name, result.folder));
  QUERN_TRY(const StageTimer timer, StageTimer::start(result.folder));
  const std::string started = iso_time();
  QUERN_TRY(const nlohmann::ordered_json figures, loaded.stage->run({.out = result.folder,
                                                                     .resume = resume,
                                                                     .progress = how.progress,
                                                                     .should_stop = how.should_stop}));
  result.seconds = timer.seconds();
  result.record = {{"stage", spec.name},
                   {"kind", spec.kind},
                   {"key", key},
                   {"started", started},
                   {"seconds", result.seconds},
                   {"quern", {{"version", version()}, {"commit", commit()}}},
                   {"inputs", lineage},
                   {"settings", loaded.settings},
                   {"figures", figures}};
  QUERN_CHECK(write_file_atomic(result.folder / kRecord, dump(result.record, 2) + "\n"));
  timer.finish();
  return result;
}

}  // namespace

Result<std::vector<FinishedStage>> make(const Recipe& recipe, const MakeHow& how) {
  QUERN_CHECK(check_stages(recipe));
  QUERN_TRY(const FolderLock lock, FolderLock::acquire(recipe.out));
  std::vector<FinishedStage> done;
  for (const StageSpec& stage : recipe.stages) {
    Result<FinishedStage> finished = how.should_stop && how.should_stop()
                                         ? make_error(ErrorCode::cancelled, "stopped before it began")
                                         : run_stage(stage, recipe, done, how);
    if (!finished.ok()) {
      Error error = std::move(finished).error();
      if (error.code == ErrorCode::cancelled) error.hint = "the same command goes on from here";
      return std::move(error).within("stage " + stage.name);
    }
    done.push_back(std::move(finished).value());
  }
  return done;
}

}  // namespace quern::recipes
