#include "recipes/make.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/version.h"
#include "recipes/stage.h"

namespace quern::recipes {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kRecord = "stage.json";

// The content of a file, or of every file below a folder with its relative name. A finished stage stands for
// itself: its key says what its content is.
Result<std::string> identity_of(const std::string& path, const std::vector<FinishedStage>& done) {
  for (const FinishedStage& stage : done) {
    const std::string folder = stage.folder.string();
    if (path == folder || path.starts_with(folder + "/")) return stage.key + path.substr(folder.size());
  }
  std::error_code status;
  if (!fs::is_directory(path, status)) {
    QUERN_TRY(const Hash128 hash, hash_file(path));
    return hash.hex();
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path, status)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  Hasher hasher;
  for (const fs::path& file : files) {
    QUERN_TRY(const Hash128 hash, hash_file(file));
    hasher.add(fs::relative(file, path).string()).add(hash);
  }
  return hasher.result().hex();
}

struct Prepared {
  const StageKind* kind;
  std::unique_ptr<Stage> stage;
  nlohmann::ordered_json settings;  // as they will run
  nlohmann::ordered_json lineage;   // input -> what it is
  std::string key;
};

Result<std::string> resolve(std::string_view name, const Recipe& recipe,
                            const std::vector<FinishedStage>& done) {
  for (const FinishedStage& stage : done) {
    if (stage.name == name) return stage.folder.string();
  }
  if (const auto value = recipe.values.find(std::string(name)); value != recipe.values.end())
    return value->second;
  std::string known;
  for (const FinishedStage& stage : done) known += (known.empty() ? "" : ", ") + stage.name;
  for (const auto& [key, value] : recipe.values) known += (known.empty() ? "" : ", ") + key;
  return make_error(ErrorCode::invalid_argument,
                    fmt::format("${{{}}} is neither an earlier stage nor a setting", name),
                    "there are: " + known);
}

// Settings that hold a path to another stage's folder would tie the key to where OUT lies: the key takes
// lineage and the settings as written instead.
Result<Prepared> prepare(const StageSpec& spec, const Recipe& recipe,
                         const std::vector<FinishedStage>& done) {
  Prepared prepared;
  QUERN_TRY(prepared.kind, find_stage_kind(spec.kind));
  prepared.stage = prepared.kind->make();
  Fields fields;
  prepared.stage->fields(fields);
  QUERN_TRY(const YAML::Node settings,
            substitute(spec.settings, [&](std::string_view name) { return resolve(name, recipe, done); }));
  QUERN_CHECK(fields.load_yaml(YAML::Dump(settings), recipe.file.string()));
  for (const std::string& setting : spec.overrides) QUERN_CHECK(fields.set(setting));
  QUERN_CHECK(fields.check_required());
  QUERN_CHECK(prepared.stage->finish(fields));
  prepared.settings = fields.to_json();

  Hasher hasher;
  hasher.add(spec.kind).add(static_cast<uint64_t>(prepared.kind->version));
  std::string portable = prepared.settings.dump();
  for (const FinishedStage& stage : done) {
    const std::string folder = stage.folder.string();
    for (size_t at = 0; (at = portable.find(folder, at)) != std::string::npos;)
      portable.replace(at, folder.size(), stage.key);
  }
  prepared.lineage = nlohmann::ordered_json::object();
  for (const std::string& input : prepared.stage->inputs()) {
    QUERN_TRY(const std::string identity, identity_of(input, done));
    for (size_t at = 0; (at = portable.find(input, at)) != std::string::npos;)
      portable.replace(at, input.size(), identity);
    prepared.lineage[input] = identity;
    hasher.add(identity);
  }
  prepared.key = hasher.add(portable).result().hex().substr(0, 16);
  return prepared;
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
  if (!record.is_object() || record.value("key", "") != key) return std::nullopt;
  return record;
}

Result<FinishedStage> run_stage(const StageSpec& spec, const Recipe& recipe,
                                const std::vector<FinishedStage>& done, const MakeHow& how) {
  QUERN_TRY(Prepared prepared, prepare(spec, recipe, done));
  FinishedStage result{.name = spec.name,
                       .kind = spec.kind,
                       .key = prepared.key,
                       .folder = recipe.out / ".stages" / (spec.name + "-" + prepared.key),
                       .record = {}};
  if (auto record = finished_record(result.folder, prepared.key)) {
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
  const auto start = std::chrono::steady_clock::now();
  const std::string started = iso_time();
  QUERN_TRY(const nlohmann::ordered_json figures, prepared.stage->run({.out = result.folder,
                                                                       .resume = resume,
                                                                       .progress = how.progress,
                                                                       .should_stop = how.should_stop}));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.record = {{"stage", spec.name},         {"kind", spec.kind},
                   {"key", prepared.key},        {"started", started},
                   {"seconds", result.seconds},  {"quern", {{"version", version()}, {"commit", commit()}}},
                   {"inputs", prepared.lineage}, {"settings", prepared.settings},
                   {"figures", figures}};
  QUERN_CHECK(write_file_atomic(result.folder / kRecord, result.record.dump(2) + "\n"));
  return result;
}

}  // namespace

Result<std::vector<FinishedStage>> make(const Recipe& recipe, const MakeHow& how) {
  for (const StageSpec& stage : recipe.stages) QUERN_CHECK(find_stage_kind(stage.kind));
  QUERN_CHECK(make_directories(recipe.out));
  std::vector<FinishedStage> done;
  for (const StageSpec& stage : recipe.stages) {
    Result<FinishedStage> finished = run_stage(stage, recipe, done, how);
    if (!finished.ok()) return std::move(finished).error().within("stage " + stage.name);
    done.push_back(std::move(finished).value());
  }
  return done;
}

}  // namespace quern::recipes
